import type { EditorNodeProperties } from 'node-red';
import { field, showFor, useStyle } from '../common/editor/fields';
import { getJson } from '../common/editor/routes';
import { numberFrom } from '../common/editor/validate';

interface EdgeInfer extends EditorNodeProperties {
  name: string;
  model: string;
  labels: string;
  scoreThreshold: string;
  policy: string;
  capacity: string;
  batchSize: string;
  batchWait: string;
}

RED.nodes.registerType<EdgeInfer>('edge-infer', {
  category: 'edge AI-function',
  color: '#8FC1E3',
  defaults: {
    name: { value: '' },
    model: { value: '', type: 'edge-model', required: false },
    labels: { value: '' },
    scoreThreshold: { value: '', validate: numberFrom(0, 1) },
    policy: { value: 'latest', required: true },
    capacity: { value: '10', validate: numberFrom(1, 10_000, { integer: true }) },
    batchSize: { value: '8', validate: numberFrom(1, 1_000, { integer: true }) },
    batchWait: { value: '100', validate: numberFrom(1, 60_000) },
  },
  inputs: 1,
  outputs: 1,
  icon: 'edge-infer.svg',
  paletteLabel() {
    return this._('edge-infer.label.node');
  },
  label() {
    return this.name || this._('edge-infer.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-policy').closest<HTMLElement>('.edge-form')!;
    showFor(field<HTMLSelectElement>('node-input-policy'), form.querySelectorAll<HTMLElement>('[data-show-for]'));
    suggestLabels(field('node-input-labels'), field<HTMLDataListElement>('edge-infer-known-labels'));
  },
});

interface Catalogue {
  default: string;
  models: { id: string; labels: string[] }[];
}

/** Offer the labels of the chosen model, one after another, where it is one of the catalogue. */
function suggestLabels(input: HTMLInputElement, list: HTMLDataListElement): void {
  let known: Catalogue | undefined;
  // Without the catalogue nothing is offered, and any label can be typed.
  getJson<Catalogue>('edgeloom/catalogue').then(
    (catalogue) => {
      known = catalogue;
    },
    () => {},
  );
  const offer = () => {
    const chosen = RED.nodes.node(field('node-input-model').value) as { source?: string } | null;
    const id = chosen?.source?.replace(/^catalogue:/, '') || known?.default;
    const labels = known?.models.find((model) => model.id === id)?.labels ?? [];
    const typed = input.value.split(',').map((label) => label.trim());
    const before = typed.slice(0, -1);
    const rest = labels.filter((label) => !before.includes(label));
    list.replaceChildren(...rest.map((label) => new Option('', [...before, label].join(', '))));
  };
  input.addEventListener('focus', offer);
  input.addEventListener('input', offer);
}
