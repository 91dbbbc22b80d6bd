import type { EditorNodeProperties } from 'node-red';
import { field, showFor, useStyle } from '../common/editor/fields';
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
  paletteLabel: 'infer',
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
  },
});
