import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from '@swc/core';
import { ERRORS } from '../../core/errors';
import { catalogue } from '../../core/model/catalogue';
import { ROOT } from '../support/needs';
import { nodeTypes } from '../support/node-types';

const LANGUAGES = ['en-US', 'zh-CN'] as const;
type Language = (typeof LANGUAGES)[number];

/** The sections of a node's help, in this order. A node that takes or gives no messages has no such section. */
const SECTIONS: Record<Language, { inputs: string; outputs: string; details: string; limits: string }> = {
  'en-US': { inputs: 'Inputs', outputs: 'Outputs', details: 'Details', limits: 'Limits' },
  'zh-CN': { inputs: '输入', outputs: '输出', details: '详细说明', limits: '限制' },
};

const common = (language: Language) => keysOf(join(ROOT, 'nodes', 'common', 'locales', `${language}.json`));

describe('the catalogue that all nodes share', () => {
  it('has the same keys in every language', () => {
    expect([...common('zh-CN').keys()].sort()).toEqual([...common('en-US').keys()].sort());
  });

  it.each(LANGUAGES)('has a short title for every error code, and for nothing that is none (%s)', (language) => {
    const titled = [...common(language).keys()].filter((key) => key.startsWith('EDGE_'));
    expect(titled.sort()).toEqual(Object.keys(ERRORS).sort());
  });

  it.each(LANGUAGES)('names the palette (%s)', (language) => {
    expect(common(language).get('palette.label.edge_AI')).toBeTruthy();
  });

  it('fills the same blanks in every language', () => {
    expect(blanksOf(common('zh-CN'))).toEqual(blanksOf(common('en-US')));
  });
});

it('finds nodes to look at', () => {
  expect(nodeTypes().length).toBeGreaterThan(0);
});

describe.each(nodeTypes())('%s', (type) => {
  const folder = join(ROOT, 'nodes', type);
  const catalogue = (language: Language) => keysOf(join(folder, 'locales', language, `${type}.json`));
  const help = (language: Language) => readFileSync(join(folder, 'locales', language, `${type}.md`), 'utf8');

  it('has the same keys in every language, none of them empty', () => {
    const [english, chinese] = [catalogue('en-US'), catalogue('zh-CN')];
    expect(english.size).toBeGreaterThan(0);
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
    for (const [key, text] of [...english, ...chinese]) expect([key, text.trim()]).not.toEqual([key, '']);
    expect(blanksOf(chinese)).toEqual(blanksOf(english));
  });

  it('keeps its texts under its own name', () => {
    for (const key of catalogue('en-US').keys()) expect(key.split('.')[0]).toBe(type);
  });

  it('asks for no text that is missing', () => {
    const known = new Set([...catalogue('en-US').keys(), ...common('en-US').keys()]);
    const missing = [...textsAskedFor(folder, type)].filter((asked) =>
      asked.endsWith('*') ? ![...known].some((key) => key.startsWith(asked.slice(0, -1))) : !known.has(asked),
    );
    expect(missing).toEqual([]);
  });

  it('has no text that nothing asks for', () => {
    const asked = [...textsAskedFor(folder, type)];
    const unused = [...catalogue('en-US').keys()].filter(
      (key) => !asked.some((one) => (one.endsWith('*') ? key.startsWith(one.slice(0, -1)) : key === one)),
    );
    expect(unused).toEqual([]);
  });

  it.each(LANGUAGES)('has help that opens with a paragraph and ends with the limits (%s)', (language) => {
    const sections = SECTIONS[language];
    const { takes, gives } = ports(folder, type);
    const expected = [
      ...(takes ? [sections.inputs] : []),
      ...(gives ? [sections.outputs] : []),
      sections.details,
      sections.limits,
    ];
    const text = help(language).trim();
    expect(text).not.toMatch(/^[#<\-:]/);
    expect([...text.matchAll(/^### +(.+?) *$/gm)].map(([, title]) => title)).toEqual(expected);
    for (const section of text.split(/^### .+$/m)) expect(section.trim()).not.toBe('');
  });

  it('has Chinese help that is Chinese', () => {
    const letters = help('zh-CN').match(/\p{Script=Han}/gu) ?? [];
    expect(letters.length).toBeGreaterThan(100);
  });
});

describe('the catalogue of models', () => {
  const words = (language: Language) => keysOf(join(ROOT, 'nodes', 'edge-model', 'locales', language, 'edge-model.json'));

  it.each(catalogue())(
    'has its words on $id in both languages, in English those of the entry itself',
    ({ id, description, measured }) => {
      for (const [name, own] of [
        ['description', description],
        ['note', measured?.note],
      ]) {
        const key = `edge-model.catalogue.${id}.${name}`;
        expect([key, words('en-US').get(key)]).toEqual([key, own]);
        expect([key, /\p{Script=Han}/u.test(words('zh-CN').get(key) ?? '')]).toEqual([key, own !== undefined]);
      }
    },
  );
});

/** Leaves of a catalogue by their dotted keys. */
function keysOf(file: string): Map<string, string> {
  const keys = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'string') keys.set(path, value);
    else for (const [name, child] of Object.entries(value as object)) walk(child, path ? `${path}.${name}` : name);
  };
  walk(JSON.parse(readFileSync(file, 'utf8')), '');
  return keys;
}

/** `__count__` and its like, by key: what the code fills in. */
function blanksOf(keys: Map<string, string>): Record<string, string[]> {
  const filled = [...keys].map(([key, text]) => [key, (text.match(/__\w+?__/g) ?? []).sort()] as const);
  return Object.fromEntries(filled.filter(([, blanks]) => blanks.length > 0));
}

/**
 * Every key that a node's markup and code ask for: `data-i18n` attributes, and strings that look like one of its keys
 * (`type.section.name`; permissions and file names have one dot less). A key whose end is computed is given as `start*`.
 */
function textsAskedFor(folder: string, type: string): Set<string> {
  const asked = new Set<string>();
  const markup = readFileSync(join(folder, `${type}.html`), 'utf8');
  for (const [, keys = ''] of markup.matchAll(/data-i18n="([^"]*)"/g)) {
    for (const key of keys.split(';')) asked.add(key.replace(/^\[\w+\]/, ''));
  }
  for (const file of readdirSync(folder, { recursive: true }).map(String)) {
    if (!file.endsWith('.ts')) continue;
    for (const text of strings(readFileSync(join(folder, file), 'utf8'))) {
      if (text.startsWith(`${type}.`) && /^[\w-]+(\.[\w-]+)+\.[\w-]*\*?$/.test(text)) asked.add(text);
    }
  }
  return asked;
}

/** String literals of a source file; a template's literal start is given with a `*` for the rest. */
function strings(source: string): string[] {
  const found: string[] = [];
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) for (const child of node) walk(child);
    if (typeof node !== 'object' || node === null) return;
    const { type, value, quasis } = node as { type?: string; value?: unknown; quasis?: { cooked: string }[] };
    if (type === 'StringLiteral') found.push(String(value));
    if (type === 'TemplateLiteral' && quasis?.[0]) found.push(quasis.length > 1 ? `${quasis[0].cooked}*` : quasis[0].cooked);
    for (const child of Object.values(node)) walk(child);
  };
  walk(parseSync(source, { syntax: 'typescript' }));
  return found;
}

/** Whether messages come in and go out, by the node's registration; a config node has neither. */
function ports(folder: string, type: string): { takes: boolean; gives: boolean } {
  const source = readFileSync(join(folder, `${type}.editor.ts`), 'utf8');
  const count = (name: string) => Number(new RegExp(`^ {2}${name}: (\\d+),`, 'm').exec(source)?.[1] ?? 0);
  return { takes: count('inputs') > 0, gives: count('outputs') > 0 };
}
