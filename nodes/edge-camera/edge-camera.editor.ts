import type { EditorNodeProperties } from 'node-red';
import { field, openSections, useStyle } from '../common/editor/fields';
import { postJson, type RouteError } from '../common/editor/routes';
import { isEnvironment, numberFrom } from '../common/editor/validate';

interface EdgeCamera extends EditorNodeProperties {
  name: string;
  url: string;
  kind: string;
  framesPerSecond: string;
  start: string;
  timeout: string;
  insecure: boolean;
}

interface CameraSecrets {
  user: string;
  password: string;
}

interface TestAnswer {
  width: number;
  height: number;
  milliseconds: number;
  picture: string;
}

RED.nodes.registerType<EdgeCamera, CameraSecrets>('edge-camera', {
  category: 'edge AI-input',
  color: '#A6D8C8',
  defaults: {
    name: { value: '' },
    url: {
      value: '',
      required: true,
      validate(value, opt?: unknown) {
        const text = String(value ?? '').trim();
        if (isEnvironment(text) || /^https?:\/\/[^\s]+$/i.test(text)) return true;
        if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return (opt ? this._('edge-camera.validate.scheme') : false) as boolean;
        if (/^[\w.-]+(:\d+)?(\/\S*)?$/.test(text)) return true;
        return (opt ? this._('edge-camera.validate.url') : false) as boolean;
      },
    },
    kind: { value: 'auto', required: true },
    framesPerSecond: { value: '2', validate: numberFrom(0.001, 60) },
    start: { value: 'deploy', required: true },
    timeout: { value: '10', validate: numberFrom(0.5, 120) },
    insecure: { value: false },
  },
  credentials: {
    user: { type: 'text' },
    password: { type: 'password' },
  },
  inputs: 1,
  outputs: 1,
  icon: 'edge-camera.svg',
  paletteLabel() {
    return this._('edge-camera.label.node');
  },
  label() {
    if (this.name) return this.name;
    // Only the host: the rest of an address may hold a password.
    return /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?([^/:?#\s]+)/i.exec(this.url ?? '')?.[1] || this._('edge-camera.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-url').closest<HTMLElement>('.edge-form')!;
    openSections(form, this);
    const button = field<HTMLButtonElement>('edge-camera-test');
    button.addEventListener('click', () => {
      button.disabled = true;
      show(this._('edge-camera.test.asking'), 'asking');
      test(this.id)
        .then(
          (answer) => show(`${answer.width} × ${answer.height}, ${answer.milliseconds} ms`, 'picture', answer.picture),
          (error: RouteError) => show(error.message, 'error'),
        )
        .finally(() => {
          button.disabled = false;
        });
    });
  },
});

/** One picture by what stands in the dialog now, saved or not. */
function test(id: string): Promise<TestAnswer> {
  const value = (name: string) => field(`node-input-${name}`).value;
  return postJson<TestAnswer>('edgeloom/camera/test', {
    id,
    url: value('url'),
    kind: value('kind'),
    timeout: value('timeout'),
    insecure: field('node-input-insecure').checked,
    credentials: { user: value('user'), password: value('password') },
  });
}

function show(text: string, state: 'asking' | 'picture' | 'error', picture?: string): void {
  const result = document.getElementById('edge-camera-result');
  // The dialog may have been closed meanwhile.
  if (!result) return;
  result.hidden = false;
  result.className = `edge-notice${state === 'error' ? ' edge-error' : ''}`;
  // The bar at the side is for warnings and errors.
  result.style.borderLeftColor = state === 'error' ? '' : 'transparent';
  const words = document.createElement('span');
  words.textContent = text;
  result.replaceChildren(words);
  if (picture) {
    const image = document.createElement('img');
    image.src = picture;
    image.alt = text;
    image.style.cssText = 'display: block; max-width: 100%; margin-top: 6px;';
    result.append(image);
  }
}
