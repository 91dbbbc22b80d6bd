import type { EditorNodeProperties } from 'node-red';
import { field, openSections, showFor, useStyle } from '../common/editor/fields';
import { isEnvironment, numberFrom, type Validator } from '../common/editor/validate';

interface EdgePrepare extends EditorNodeProperties {
  name: string;
  output: string;
  model: string;
  crop: boolean;
  cropUnit: string;
  cropX: string;
  cropY: string;
  cropWidth: string;
  cropHeight: string;
  width: string;
  height: string;
  fit: string;
  anchor: string;
  padding: string;
  colours: string;
  quality: string;
  layout: string;
  tensorType: string;
  mean: string;
  scale: string;
  policy: string;
  capacity: string;
}

/** A side is needed where a tensor is made by hand. */
const side: Validator = function (value) {
  const { output, model } = this as EdgePrepare;
  const needed = output === 'tensor' && (!model || model === '_ADD_');
  return numberFrom(1, 16_384, { integer: true, required: needed }).call(this, value);
};

const cropPart: Validator = function (value) {
  const { crop, cropUnit } = this as EdgePrepare;
  return crop ? numberFrom(0, cropUnit === 'pixels' ? 16_384 : 1).call(this, value) : true;
};

const numbers: Validator = function (value) {
  const text = String(value ?? '').trim();
  const right = /^-?[\d.eE+-]+(\/[\d.]+)?(\s*,\s*-?[\d.eE+-]+(\/[\d.]+)?){0,2}$/.test(text);
  const translate = (this as { _?: (key: string) => string })._ ?? ((key: string) => key);
  return text === '' || isEnvironment(text) || right || (translate('edge.validate.numbers') as unknown as boolean);
};

RED.nodes.registerType<EdgePrepare>('edge-prepare', {
  category: 'edge AI-function',
  color: '#8FC1E3',
  defaults: {
    name: { value: '' },
    output: { value: 'frame', required: true },
    model: { value: '', type: 'edge-model', required: false },
    crop: { value: false },
    cropUnit: { value: 'relative' },
    cropX: { value: '0', validate: cropPart },
    cropY: { value: '0', validate: cropPart },
    cropWidth: { value: '1', validate: cropPart },
    cropHeight: { value: '1', validate: cropPart },
    width: { value: '', validate: side },
    height: { value: '', validate: side },
    fit: { value: 'letterbox' },
    anchor: { value: 'centre' },
    padding: { value: '114', validate: numberFrom(0, 255, { integer: true }) },
    colours: { value: 'rgb' },
    quality: { value: '85', validate: numberFrom(1, 100, { integer: true }) },
    layout: { value: 'NCHW' },
    tensorType: { value: 'float32' },
    mean: { value: '0', validate: numbers },
    scale: { value: '1/255', validate: numbers },
    policy: { value: 'latest', required: true },
    capacity: { value: '10', validate: numberFrom(1, 1000, { integer: true }) },
  },
  inputs: 1,
  outputs: 1,
  icon: 'edge-prepare.svg',
  paletteLabel() {
    return this._('edge-prepare.label.node');
  },
  label() {
    return this.name || this._('edge-prepare.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-output').closest<HTMLElement>('.edge-form')!;
    const rows = (name: string) => form.querySelectorAll<HTMLElement>(`.edge-for-${name}`);
    showFor(field<HTMLSelectElement>('node-input-output'), rows('output'));
    showFor(field<HTMLSelectElement>('node-input-policy'), rows('policy'));
    const crop = field('node-input-crop');
    const output = field<HTMLSelectElement>('node-input-output');
    const model = field<HTMLSelectElement>('node-input-model');
    const update = () => {
      for (const row of rows('crop')) row.hidden = !crop.checked;
      // A model says itself how its tensor is made.
      const byModel = output.value === 'tensor' && model.value !== '' && model.value !== '_ADD_';
      for (const row of rows('hand')) row.hidden = byModel || (row.dataset.tensor === 'only' && output.value !== 'tensor');
    };
    for (const element of [crop, output, model]) $(element).on('change', update);
    update();
    openSections(form, this);
  },
});
