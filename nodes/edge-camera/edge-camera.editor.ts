import type { EditorNodeProperties } from 'node-red';
import { showFfmpeg } from '../common/editor/ffmpeg';
import { field, openSections, useStyle } from '../common/editor/fields';
import { postJson, type RouteError } from '../common/editor/routes';
import { isEnvironment, numberFrom } from '../common/editor/validate';
import { drawRegion, parseRegion } from './region.editor';
import { subStreamOf } from './sub-stream';

interface EdgeCamera extends EditorNodeProperties {
  name: string;
  url: string;
  kind: string;
  framesPerSecond: string;
  start: string;
  timeout: string;
  insecure: boolean;
  largestWidth: string;
  region: string;
  rotation: string;
  transport: string;
  hardware: string;
  keyFramesOnly: boolean;
  ffmpeg: string;
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
        return (isAddress(text) || (opt ? this._('edge-camera.validate.url') : false)) as boolean;
      },
    },
    kind: { value: 'auto', required: true },
    framesPerSecond: { value: '2', validate: numberFrom(0.001, 120) },
    start: { value: 'deploy', required: true },
    timeout: { value: '5', validate: numberFrom(0.5, 120) },
    insecure: { value: false },
    largestWidth: { value: '1280', validate: numberFrom(0, 16384, { integer: true }) },
    region: {
      value: '',
      validate(value, opt?: unknown) {
        return (isRegion(String(value ?? '')) || (opt ? this._('edge-camera.validate.region') : false)) as boolean;
      },
    },
    rotation: { value: '0' },
    transport: { value: 'auto' },
    hardware: { value: 'off' },
    keyFramesOnly: { value: false },
    ffmpeg: { value: '' },
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
    return placeOf(this.url ?? '') || this._('edge-camera.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-url').closest<HTMLElement>('.edge-form')!;
    for (const name of ['rotation', 'transport', 'hardware'] as const) keepChoice(field(`node-input-${name}`), this[name]);
    openSections(form, this);
    offerSubStream((key, values) => this._(key, values as never));
    showFfmpeg('edge-camera-ffmpeg', (key, values) => this._(key, values), 'node-input-ffmpeg');
    const button = field<HTMLButtonElement>('edge-camera-test');
    button.addEventListener('click', () => {
      button.disabled = true;
      show(this._('edge-camera.test.asking'), 'asking');
      test(this.id)
        .then(
          (answer) => {
            show(`${answer.width} × ${answer.height}, ${answer.milliseconds} ms`, 'picture', answer.picture);
            form.querySelector<HTMLDetailsElement>('#edge-camera-picture')!.open = true;
          },
          (error: RouteError) => show(error.message, 'error'),
        )
        .finally(() => {
          button.disabled = false;
        });
    });
  },
});

/** One whole picture by what stands in the dialog now, saved or not; the part of it is drawn over it. */
function test(id: string): Promise<TestAnswer> {
  const value = (name: string) => field(`node-input-${name}`).value;
  return postJson<TestAnswer>('edgeloom/camera/test', {
    id,
    url: value('url'),
    kind: value('kind'),
    timeout: value('timeout'),
    insecure: field('node-input-insecure').checked,
    largestWidth: value('largestWidth'),
    rotation: value('rotation'),
    transport: value('transport'),
    hardware: value('hardware'),
    ffmpeg: value('ffmpeg'),
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
    image.draggable = false;
    image.style.cssText = 'display: block; max-width: 100%;';
    const holder = document.createElement('div');
    holder.style.cssText = 'display: inline-block; margin-top: 6px; max-width: 100%;';
    holder.append(image);
    result.append(document.createElement('br'), holder);
    drawRegion(holder, field('node-input-region'));
  }
}

/** A node of an older flow has no value yet; a decoder may have a name that is not listed, or stand in the environment. */
function keepChoice(select: HTMLSelectElement, value: string | undefined): void {
  if (!value) select.selectedIndex = 0;
  else if (![...select.options].some((option) => option.value === value)) {
    select.add(new Option(value, value));
    select.value = value;
  }
}

/** A main stream of a known maker: its smaller one is a click away. */
function offerSubStream(translate: (key: string, values?: Record<string, unknown>) => string): void {
  const address = field('node-input-url');
  const offer = field<HTMLElement>('edge-camera-sub-stream');
  let shown: string | undefined;
  const update = () => {
    const found = subStreamOf(address.value);
    offer.hidden = !found;
    // Pressing the button takes the focus from the field, which tells of a change: the button must still be there at the click.
    if (!found || found.url === shown) return;
    shown = found.url;
    const words = document.createElement('span');
    words.textContent = translate('edge-camera.subStream.why', { maker: found.maker });
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'red-ui-button red-ui-button-small';
    button.style.cssText = 'display: block; margin-top: 4px;';
    button.textContent = translate('edge-camera.subStream.use');
    button.addEventListener('click', () => {
      address.value = found.url;
      // jQuery, because the editor listens with it.
      $(address).trigger('change');
      address.focus();
    });
    offer.replaceChildren(words, button);
  };
  address.addEventListener('input', update);
  $(address).on('change', update);
  update();
}

/** A stream, a picture, a device, a file, or a host alone. */
function isAddress(text: string): boolean {
  if (isEnvironment(text) || /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(text)) return true;
  if (/^(usb|v4l2|dshow|avfoundation|file):.+/i.test(text)) return true;
  if (/^(\/|~\/|\.\.?\/|[a-z]:[\\/])./i.test(text)) return true;
  return /^[\w.-]+(:\d+)?(\/\S*)?$/.test(text);
}

function isRegion(text: string): boolean {
  return text.trim() === '' || isEnvironment(text) || parseRegion(text) !== undefined;
}

/** The host, device or file of an address, and nothing else of it: the rest may hold a password. */
function placeOf(text: string): string | undefined {
  if (/^(\/|~\/|\.\.?\/|[a-z]:[\\/]|file:)/i.test(text)) return text.split(/[\\/]/).pop();
  const device = /^(?:usb|v4l2|dshow|avfoundation):(?:\/\/)?(.+)$/i.exec(text);
  if (device) return device[1];
  return /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/?#]*@)?([^/:?#\s]+)/i.exec(text)?.[1];
}
