import type { EditorNodeProperties } from 'node-red';
import { field, openSections, showFor, useStyle } from '../common/editor/fields';
import { matching, numberFrom } from '../common/editor/validate';

interface Property {
  name: string;
  value: string;
}

interface EdgePublish extends EditorNodeProperties {
  name: string;
  broker: string;
  topic: string;
  qos: string;
  retain: boolean;
  send: string;
  picture: string;
  pictureTopic: string;
  pictureWidth: string;
  expiry: string;
  userProperties: Property[];
}

const topic = matching(/^(?!.*[#+\0])(\{\{|\}\}|\{[^{}]+\}|[^{}])+$/, 'topic');

RED.nodes.registerType<EdgePublish>('edge-publish', {
  category: 'edge AI-output',
  color: '#C9B8E8',
  defaults: {
    name: { value: '' },
    broker: { value: '', type: 'edge-broker', required: true },
    topic: { value: 'edgeloom/{source}/detections', validate: topic },
    qos: { value: '1' },
    retain: { value: false },
    send: { value: 'message' },
    picture: { value: 'none' },
    pictureTopic: { value: 'edgeloom/{source}/picture', validate: topic },
    pictureWidth: { value: '640', validate: numberFrom(16, 8192, { integer: true }) },
    expiry: { value: '', validate: numberFrom(0, 4_294_967_295, { integer: true }) },
    userProperties: { value: [] },
  },
  inputs: 1,
  outputs: 0,
  icon: 'edge-publish.svg',
  align: 'right',
  paletteLabel() {
    return this._('edge-publish.label.node');
  },
  label() {
    return this.name || this.topic || this._('edge-publish.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-input-topic').closest<HTMLElement>('.edge-form')!;
    const send = field<HTMLSelectElement>('node-input-send');
    const picture = field<HTMLSelectElement>('node-input-picture');
    const rows = (name: string) => form.querySelectorAll<HTMLElement>(`[data-rows~=${name}] [data-show-for]`);
    showFor(send, form.querySelectorAll<HTMLElement>('[data-rows=send] > [data-show-for]'));
    showFor(picture, rows('picture'));
    listProperties(field<HTMLOListElement>('edge-publish-properties'), this.userProperties, this._.bind(this));
    openSections(form, this);
    const more = form.querySelector<HTMLDetailsElement>('details')!;
    more.open ||= this.userProperties?.length > 0;
  },
  oneditsave() {
    const rows = $('#edge-publish-properties').editableList('items').toArray() as unknown as JQuery[];
    this.userProperties = rows
      .map((row) => ({
        name: String(row.find('[data-of=name]').val()).trim(),
        value: String(row.find('[data-of=value]').val()).trim(),
      }))
      .filter(({ name }) => name !== '');
  },
});

/** Names and values, row by row, in Node-RED's own list. */
function listProperties(list: HTMLElement, properties: Property[], translate: (key: string) => string): void {
  $(list).editableList({
    removable: true,
    height: 'auto',
    addItem(row: JQuery, _index: number, property: Partial<Property>) {
      const input = (of: keyof Property, key: string) => {
        const made = document.createElement('input');
        made.type = 'text';
        made.dataset.of = of;
        made.style.width = '45%';
        made.style.marginRight = '8px';
        made.value = property[of] ?? '';
        made.placeholder = translate(key);
        made.setAttribute('aria-label', made.placeholder);
        return made;
      };
      row.append(input('name', 'edge-publish.label.propertyName'), input('value', 'edge-publish.label.propertyValue'));
    },
  } as never);
  for (const property of properties ?? []) $(list).editableList('addItem', property);
}
