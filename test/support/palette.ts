import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from '@swc/core';
import { ROOT } from './needs';
import type { FlowNode } from './node-red';

/** What the folders say: nothing here is a list kept by hand. */
export const NODE_TYPES = readdirSync(join(ROOT, 'nodes'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .map((entry) => entry.name)
  .sort();

export const LANGUAGES = ['en-US', 'zh-CN'] as const;

export interface Flow {
  /** Path from the repository's root. */
  file: string;
  nodes: FlowNode[];
}

/** Every example and every template, as it is imported. */
export function exampleFlows(): Flow[] {
  const files = ['examples', 'flows']
    .flatMap((folder) => filesOf(folder))
    .filter((file) => file.endsWith('.json') && !file.startsWith(join('examples', 'templates')))
    .filter((file) => file.startsWith('examples') || file.endsWith('flow.json'));
  return files.sort().map((file) => ({ file, nodes: JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as FlowNode[] }));
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1));
  } catch {
    return [];
  }
}

interface Syntax {
  type: string;
  [property: string]: unknown;
}

/** What a catalogue reads from a built editor file without running it; `undefined` for what is not literal. */
export interface Registration {
  type: string | undefined;
  spreads: boolean;
  properties: Map<string, Literal>;
}

export type Literal = string | number | boolean | Map<string, Literal> | 'not literal' | null;

/** Reads every RED.nodes.registerType('type', {...}) in a node's built HTML by its syntax tree. */
export function registrations(html: string): Registration[] {
  const scripts = [...html.matchAll(/<script type="text\/javascript">([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
  const found: Registration[] = [];
  for (const script of scripts) {
    walk(parseSync(script, { syntax: 'ecmascript' }) as unknown as Syntax, (node) => {
      if (node.type !== 'CallExpression' || memberPath(node.callee as Syntax) !== 'RED.nodes.registerType') return;
      const [name, definition] = (node.arguments as { expression: Syntax }[]).map(({ expression }) => expression);
      const literal = name?.type === 'StringLiteral' ? String(name.value) : undefined;
      const properties = definition ? literalOf(definition) : null;
      found.push({
        type: literal,
        spreads: definition?.type === 'ObjectExpression' && hasSpread(definition),
        properties: properties instanceof Map ? properties : new Map(),
      });
    });
  }
  return found;
}

function hasSpread(node: Syntax): boolean {
  return (node.properties as Syntax[]).some(
    (property) =>
      property.type === 'SpreadElement' ||
      (property.type === 'KeyValueProperty' &&
        (property.value as Syntax).type === 'ObjectExpression' &&
        hasSpread(property.value as Syntax)),
  );
}

function literalOf(node: Syntax): Literal {
  if (node.type === 'StringLiteral' || node.type === 'NumericLiteral' || node.type === 'BooleanLiteral') {
    return node.value as string | number | boolean;
  }
  if (node.type === 'NullLiteral') return null;
  if (node.type !== 'ObjectExpression') return 'not literal';
  const entries = (node.properties as Syntax[])
    .filter((property) => property.type === 'KeyValueProperty')
    .map((property) => {
      const key = property.key as Syntax;
      return [String(key.value), literalOf(property.value as Syntax)] as const;
    });
  return new Map(entries);
}

function memberPath(node: Syntax): string {
  if (node.type === 'Identifier') return String(node.value);
  if (node.type !== 'MemberExpression') return '';
  return `${memberPath(node.object as Syntax)}.${memberPath(node.property as Syntax)}`;
}

function walk(node: unknown, visit: (node: Syntax) => void): void {
  if (Array.isArray(node)) for (const child of node) walk(child, visit);
  else if (node && typeof node === 'object') {
    if (typeof (node as Syntax).type === 'string') visit(node as Syntax);
    for (const child of Object.values(node)) walk(child, visit);
  }
}
