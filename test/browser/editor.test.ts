import { describeWith } from '../support/needs';
import { NODE_RED_4, NODE_RED_5, NodeRed, type Version } from '../support/node-red';
import { isConfig, nodeTypes } from '../support/node-types';
import { Editor, exampleOf, type Look } from './editor';

/** Least contrast of text. WCAG 2 asks 4.5 of text; Node-RED's own secondary text has less than that, so 3 tells broken from quiet. */
const CONTRAST = 3;

const STAGES: (Look & { version: Version })[] = [
  { version: NODE_RED_4, theme: 'light', language: 'en-US' },
  { version: NODE_RED_5, theme: 'light', language: 'zh-CN' },
  { version: NODE_RED_5, theme: 'dark', language: 'en-US' },
];

/** An editor that fetches nothing from elsewhere: a request that fails is then one of ours. */
const OFFLINE = { editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } } };

const palette = nodeTypes().filter((type) => !isConfig(type));
const configs = nodeTypes().filter(isConfig);

describe.each(STAGES)('the editor of Node-RED $version.name, $theme, $language', ({ version, theme, language }) => {
  describeWith(['chromium', ...version.needs], 'in Chromium', () => {
    let nodeRed: NodeRed;
    let editor: Editor;

    beforeAll(async () => {
      nodeRed = await NodeRed.start({ version, settings: OFFLINE });
      editor = await Editor.open(nodeRed.url, { theme, language }, `${version.name}-${theme}-${language}`);
    }, 240_000);

    afterAll(async () => {
      await editor?.close();
      await nodeRed?.stop();
    }, 240_000);

    afterEach(async () => {
      await editor.closeDialogs();
      expect(editor.faults.splice(0)).toEqual([]);
    });

    it.each(palette)('drags %s in', (type) => editor.dragIn(type), 240_000);

    it.each(configs)(
      'adds %s from the node that uses it',
      async (type) => {
        const [user, property] = await userOf(type);
        await editor.openConfigDialog(user, property);
        await inspect(type, 'node-config-dialog-edit-form', 'node-config-input');
        await editor.done('node-config-dialog-ok');
        await editor.done('node-dialog-ok');
        expect(await editor.node(type)).toMatchObject({ name: `${type} of a test`, valid: true });
      },
      240_000,
    );

    it.each(palette)(
      'opens, fills and saves %s',
      async (type) => {
        await editor.openDialog(type);
        await inspect(type, 'dialog-form', 'node-input');
        await editor.done('node-dialog-ok');
        expect(await editor.node(type)).toMatchObject({ name: `${type} of a test`, valid: true });
      },
      240_000,
    );

    it('deploys them all', async () => {
      await editor.screenshot('workspace');
      await editor.deploy();
      const deployed = await nodeRed.get<{ type: string; name?: string }[]>('flows');
      for (const type of nodeTypes())
        expect(deployed).toContainEqual(expect.objectContaining({ type, name: `${type} of a test` }));
    }, 240_000);

    /** Everything that is asked of a dialog; it is left open and filled. */
    async function inspect(type: string, dialog: string, prefix: string): Promise<void> {
      const unnamed = async () => (await editor.fields(dialog)).filter(({ name }) => name === '').map(({ id }) => id);
      await editor.screenshot(type);
      const fields = await editor.fields(dialog);
      expect(fields.length).toBeGreaterThan(0);
      expect(await unnamed()).toEqual([]);

      const met = await editor.tabThrough(dialog, 12 + 3 * fields.length);
      const unreachable = (await editor.fields(dialog)).filter(({ id, visible }) => visible && !met.has(id)).map(({ id }) => id);
      expect(unreachable).toEqual([]);

      expect(await editor.untranslated(dialog)).toEqual([]);
      await editor.tryChoices(dialog, async () => {
        expect(await editor.hardToRead(dialog, CONTRAST)).toEqual([]);
        expect(await unnamed()).toEqual([]);
      });
      expect(await editor.hardToRead(dialog, CONTRAST)).toEqual([]);

      const { id: _id, type: _type, z: _z, wires: _wires, ...values } = exampleOf(type) ?? { id: '', type };
      expect(await editor.fill(dialog, prefix, { ...values, name: `${type} of a test` })).toContain('name');
    }

    async function userOf(config: string): Promise<[user: string, property: string]> {
      for (const user of palette) {
        const property = await editor.reference(user, config);
        if (property) return [user, property];
      }
      throw new Error(`no node of the palette uses ${config}`);
    }
  });
});
