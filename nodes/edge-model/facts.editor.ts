import type { RouteError } from '../common/editor/routes';

/** What a dialog knows of a model: a catalogue entry, or what the runtime found out about one's own. */
export interface Facts {
  title?: string;
  task?: string;
  licence?: { id: string; commercialUse: boolean; attribution?: string };
  size?: number;
  input?: string;
  outputs?: string;
  labels?: readonly string[];
  packaged?: boolean;
  quantization?: string;
  measured?: { ap?: number; ap50?: number; note?: string };
  description?: string;
}

/** SPDX's word for a licence that nobody stated. */
export const UNKNOWN_LICENCE = 'NOASSERTION';

export type Translate = (key: string, values?: Record<string, unknown>) => string;

/** A catalogue entry with its words in the viewer's language; one that has no translation keeps its own. */
export function inWords<T extends Facts & { id: string }>(entry: T, t: Translate): T {
  const words = (name: string, own: string) => {
    const key = `edge-model.catalogue.${entry.id}.${name}`;
    const found = t(key);
    return found === key ? own : found;
  };
  const { description, measured } = entry;
  return {
    ...entry,
    ...(description ? { description: words('description', description) } : {}),
    ...(measured?.note ? { measured: { ...measured, note: words('note', measured.note) } } : {}),
  };
}

/** A description list of what is known, with a warning where the licence keeps a model out of commercial use. */
export function showFacts(place: HTMLElement, facts: Facts, t: Translate): void {
  const rows: [string, string][] = [];
  const add = (key: string, value: string | undefined) => {
    if (value) rows.push([t(`edge-model.fact.${key}`), value]);
  };
  add('description', facts.description);
  add('task', facts.task && t(`edge-model.task.${facts.task}`));
  add('licence', facts.licence && licenceText(facts.licence, t));
  add('size', sizeText(facts, t));
  add('input', facts.input);
  add('outputs', facts.outputs);
  add('labels', facts.labels && labelsText(facts.labels));
  add('measured', measuredText(facts.measured));
  const list = document.createElement('dl');
  list.className = 'edge-facts';
  for (const [name, value] of rows) {
    const term = document.createElement('dt');
    const said = document.createElement('dd');
    term.textContent = name;
    said.textContent = value;
    list.append(term, said);
  }
  const parts: HTMLElement[] = [list];
  if (facts.licence && !facts.licence.commercialUse) {
    const unknown = facts.licence.id === UNKNOWN_LICENCE;
    parts.push(notice(t(unknown ? 'edge-model.notice.licenceUnknown' : 'edge-model.notice.notCommercial', { ...facts.licence })));
  }
  place.replaceChildren(...parts);
}

/** A sentence with a coloured edge. */
export function notice(text: string, error = false): HTMLElement {
  const element = document.createElement('div');
  element.className = error ? 'edge-notice edge-error' : 'edge-notice';
  if (error) element.setAttribute('role', 'alert');
  element.textContent = text;
  return element;
}

/** The code's short title in the viewer's language, then the runtime's sentence. */
export function errorNotice({ code, message }: RouteError, t: Translate): HTMLElement {
  return notice(code ? `${t(code)} (${code}). ${message}` : message, true);
}

function licenceText({ id, attribution }: NonNullable<Facts['licence']>, t: Translate): string {
  if (id === UNKNOWN_LICENCE) return t('edge-model.fact.licenceUnknown');
  return attribution ? `${id} · ${attribution}` : id;
}

function sizeText({ size, packaged, quantization }: Facts, t: Translate): string {
  const parts = [];
  if (size) parts.push(size < 1e6 ? `${(size / 1e3).toFixed(0)} kB` : `${(size / 1e6).toFixed(1)} MB`);
  if (quantization && quantization !== 'none') parts.push(quantization);
  if (packaged !== undefined) parts.push(t(packaged ? 'edge-model.fact.packaged' : 'edge-model.fact.fetched'));
  return parts.join(' · ');
}

function labelsText(labels: readonly string[]): string {
  const named = labels.filter((label) => label !== '');
  const shown = named.slice(0, 12).join(', ');
  return named.length > 12 ? `${named.length}: ${shown}, …` : shown;
}

function measuredText(measured: Facts['measured']): string {
  if (!measured) return '';
  const figures = [];
  if (measured.ap !== undefined) figures.push(`AP ${measured.ap.toFixed(3)}`);
  if (measured.ap50 !== undefined) figures.push(`AP50 ${measured.ap50.toFixed(3)}`);
  return [figures.join(', '), measured.note].filter(Boolean).join(' · ');
}
