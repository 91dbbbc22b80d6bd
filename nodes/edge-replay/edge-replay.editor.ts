import type { EditorNodeProperties } from 'node-red';
import { showFfmpeg } from '../common/editor/ffmpeg';
import { field, openSections, showFor, useStyle } from '../common/editor/fields';
import { numberFrom } from '../common/editor/validate';

interface EdgeReplay extends EditorNodeProperties {
  name: string;
  source: string;
  path: string;
  pace: string;
  factor: string;
  loop: boolean;
  start: string;
  framesPerSecond: string;
  largestWidth: string;
  ffmpeg: string;
}

RED.nodes.registerType<EdgeReplay>('edge-replay', {
  category: 'edge AI-input',
  color: '#A6D8C8',
  defaults: {
    name: { value: '' },
    source: { value: 'sample', required: true },
    path: {
      value: '',
      validate(value, opt?: unknown) {
        if (this.source !== 'path' || String(value ?? '').trim() !== '') return true;
        return (opt ? this._('edge-replay.validate.path') : false) as boolean;
      },
    },
    pace: { value: 'real', required: true },
    factor: { value: '1', validate: numberFrom(0.01, 100) },
    loop: { value: true },
    start: { value: 'deploy', required: true },
    framesPerSecond: { value: '', validate: numberFrom(0, 240) },
    largestWidth: { value: '1280', validate: numberFrom(0, 16384, { integer: true }) },
    ffmpeg: { value: '' },
  },
  inputs: 1,
  outputs: 1,
  icon: 'edge-replay.svg',
  paletteLabel() {
    return this._('edge-replay.label.node');
  },
  label() {
    if (this.name) return this.name;
    const file = this.source === 'path' ? this.path.split(/[\\/]/).filter(Boolean).pop() : '';
    return file || this._('edge-replay.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-source').closest<HTMLElement>('.edge-form')!;
    showFor(field<HTMLSelectElement>('node-input-source'), form.querySelectorAll<HTMLElement>('.edge-for-source'));
    showFor(field<HTMLSelectElement>('node-input-pace'), form.querySelectorAll<HTMLElement>('.edge-for-pace'));
    openSections(form, this);
    showFfmpeg('edge-replay-ffmpeg', (key, values) => this._(key, values), 'node-input-ffmpeg');
  },
});
