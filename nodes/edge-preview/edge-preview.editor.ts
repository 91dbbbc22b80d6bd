import type { EditorNodeProperties } from 'node-red';
import { useStyle } from '../common/editor/fields';
import { numberFrom } from '../common/editor/validate';
import { leaveWorkspace, watchWorkspace } from './workspace.editor';

interface EdgePreview extends EditorNodeProperties {
  name: string;
  active: boolean;
  width: string;
  rate: string;
}

/** Node-RED flips the property named by `toggle` and shows the button by it; its types do not know that. */
const collapse = {
  toggle: 'active',
  onclick(this: EdgePreview) {
    keep(this);
  },
};

RED.nodes.registerType<EdgePreview>('edge-preview', {
  category: 'edge AI-output',
  color: '#C9B8E8',
  defaults: {
    name: { value: '' },
    active: { value: true },
    width: { value: '320', validate: numberFrom(40, 1920, { integer: true }) },
    rate: { value: '2', validate: numberFrom(0.1, 25) },
  },
  inputs: 1,
  outputs: 0,
  icon: 'edge-preview.svg',
  align: 'right',
  paletteLabel() {
    return this._('edge-preview.label.node');
  },
  label() {
    return this.name || this._('edge-preview.label.node');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  button: collapse,
  onpaletteadd() {
    watchWorkspace();
  },
  onpaletteremove() {
    leaveWorkspace();
  },
  oneditprepare() {
    useStyle();
  },
});

/** The picture opens or closes at once; the change can be undone, and is kept with the flow at the next deploy. */
function keep(node: EdgePreview & { dirty?: boolean; changed?: boolean }): void {
  const editor = RED as unknown as { history: { push(event: object): void } };
  editor.history.push({ t: 'edit', node, changes: { active: !node.active }, dirty: RED.nodes.dirty(), changed: node.changed });
  node.changed = true;
  node.dirty = true;
  RED.nodes.dirty(true);
  RED.view.redraw();
}
