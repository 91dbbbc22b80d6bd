import type { EditorNodeProperties } from 'node-red';
import { type Choice, field, fillSelect, openSections, showFor, useStyle } from '../common/editor/fields';
import { getJson, postBytes, postJson, type RouteError } from '../common/editor/routes';
import { matching, numberFrom } from '../common/editor/validate';
import { showEngine } from './engine.editor';
import { errorNotice, type Facts, inWords, notice, showFacts, type Translate, UNKNOWN_LICENCE } from './facts.editor';
import { type Outcome, showOutcome } from './outcome.editor';
import { type KnownHead, Questions } from './questions.editor';

interface EdgeModel extends EditorNodeProperties {
  name: string;
  source: string;
  sha256: string;
  scoreThreshold: string;
  iouThreshold: string;
  maxDetections: string;
  task: string;
  head: string;
  width: string;
  height: string;
  layout: string;
  colours: string;
  fit: string;
  mean: string;
  scale: string;
  labels: string;
  placement: string;
  threads: string;
  backend: string;
  executionProvider: string;
  runTimeout: string;
  memoryLimit: string;
}

interface Catalogue {
  default: string;
  heads: KnownHead[];
  models: (Facts & { id: string; title: string; packaged: boolean })[];
}

interface Tensor {
  name: string;
  type: string;
  shape: (number | string)[];
}

interface Inspection {
  manifest: Omit<Facts, 'input' | 'outputs'>;
  missing: string[];
  choices: Record<string, string[]>;
  warnings: string[];
  size: number;
  graph: { inputs: Tensor[]; outputs: Tensor[] };
}

const NUMBERS = /^-?\d*\.?\d+(e-?\d+)?(\s*,\s*-?\d*\.?\d+(e-?\d+)?)*$/i;

/** Tasks that tell no classes apart. */
const NAMELESS = new Set<string | undefined>(['tensors', 'embedding']);

RED.nodes.registerType<EdgeModel>('edge-model', {
  category: 'config',
  color: '#8FC1E3',
  defaults: {
    name: { value: '' },
    source: { value: '' },
    sha256: { value: '', validate: matching(/^[0-9a-f]{64}$/i, 'sha256') },
    scoreThreshold: { value: '', validate: numberFrom(0, 1) },
    iouThreshold: { value: '', validate: numberFrom(0, 1) },
    maxDetections: { value: '', validate: numberFrom(1, 1000, { integer: true }) },
    task: { value: '' },
    head: { value: '' },
    width: { value: '', validate: numberFrom(1, 8192, { integer: true }) },
    height: { value: '', validate: numberFrom(1, 8192, { integer: true }) },
    layout: { value: '' },
    colours: { value: '' },
    fit: { value: '' },
    mean: { value: '', validate: matching(NUMBERS, 'numbers') },
    scale: { value: '', validate: matching(NUMBERS, 'numbers') },
    labels: { value: '' },
    placement: { value: 'auto' },
    threads: { value: '', validate: numberFrom(1, 64, { integer: true }) },
    backend: { value: 'auto' },
    executionProvider: { value: 'auto' },
    runTimeout: { value: '', validate: numberFrom(0.1, 86_400) },
    memoryLimit: { value: '', validate: numberFrom(64, 4_194_304) },
  },
  icon: 'edge-model.svg',
  paletteLabel() {
    return this._('edge-model.label.node');
  },
  label() {
    const id = this.source?.replace(/^catalogue:/, '').replace(/[?#].*$/, '');
    return this.name || id?.split(/[\\/]/).pop() || this._('edge-model.label.default');
  },
  oneditprepare() {
    useStyle();
    const t: Translate = (key, values) => this._(key, values as Record<string, string>);
    openSections(field('edge-model-choice').closest<HTMLElement>('.edge-form')!, this);
    void prepare(this, t);
    void showEngine(this, t);
  },
});

async function prepare(node: EdgeModel, t: Translate): Promise<void> {
  const choice = field<HTMLSelectElement>('edge-model-choice');
  const source = field('node-config-input-source');
  const facts = field('edge-model-facts');
  const catalogue = await getJson<Catalogue>('edgeloom/catalogue').catch((error: RouteError) => {
    facts.replaceChildren(errorNotice(error, t));
    return { default: '', heads: [], models: [] } as Catalogue;
  });
  // The dialog may have been closed meanwhile.
  if (!choice.isConnected) return;

  const sourceOf = (id: string) => (id === catalogue.default ? '' : `catalogue:${id}`);
  const choices: Choice[] = catalogue.models.map(({ id, title }) => ({ value: sourceOf(id), label: title }));
  choices.push({ value: 'own', label: t('edge-model.choice.own') });
  // A new configuration node has no property whose default is empty.
  const chosen = node.source ?? '';
  fillSelect(choice, choices, choices.some(({ value }) => value === chosen) ? chosen : 'own');
  const questions = new Questions(catalogue.heads, node.head ?? '', t);
  showFor(choice, choice.closest('.edge-form')!.querySelectorAll<HTMLElement>('[data-show-for]'));

  const show = () => {
    field('edge-model-outcome').replaceChildren();
    questions.askAll();
    const entry = catalogue.models.find(({ id }) => sourceOf(id) === choice.value);
    if (entry) showFacts(facts, inWords(entry, t), t);
    else if (catalogue.models.length > 0) facts.replaceChildren();
  };
  choice.addEventListener('change', () => {
    if (choice.value !== 'own') source.value = choice.value;
    else if (choices.some(({ value }) => value === source.value)) source.value = '';
    $(source).trigger('change');
    show();
  });
  show();

  const upload = field('edge-model-picture');
  const ask = { t, questions };
  onClick('edge-model-inspect', ask, () => inspect(ask));
  onClick('edge-model-try-sample', ask, () => tryOn(null, t));
  field('edge-model-try-picture').addEventListener('click', () => upload.click());
  upload.addEventListener('change', () => {
    const [picture] = upload.files ?? [];
    upload.value = '';
    if (picture) void busy(field<HTMLButtonElement>('edge-model-try-picture'), ask, () => tryOn(picture, t));
  });
}

interface Asking {
  t: Translate;
  questions: Questions;
}

async function inspect({ t, questions }: Asking): Promise<void> {
  const { manifest, missing, choices, warnings, size, graph } = await postJson<Inspection>('edgeloom/model/inspect', settings());
  const facts: Facts = { ...manifest, size, input: tensors(graph.inputs), outputs: tensors(graph.outputs) };
  facts.licence ??= { id: UNKNOWN_LICENCE, commercialUse: false };
  const place = field('edge-model-facts');
  showFacts(place, facts, t);
  place.append(...warnings.map((warning) => notice(warning)));
  questions.ask({ missing, choices, named: (manifest.labels ?? []).length > 0 || NAMELESS.has(manifest.task) });
  if (missing.length > 0) place.append(notice(t('edge-model.notice.missing', { fields: questions.names().join(', ') })));
}

async function tryOn(picture: File | null, t: Translate): Promise<void> {
  const place = field('edge-model-outcome');
  const body = new Blob([`${JSON.stringify(settings())}\n`, ...(picture ? [picture] : [])]);
  const outcome = await postBytes<Outcome>('edgeloom/model/try', body);
  const url = picture ? URL.createObjectURL(picture) : outcome.sample!;
  try {
    if (place.isConnected) await showOutcome(place, outcome, url, t);
  } finally {
    if (picture) URL.revokeObjectURL(url);
  }
}

function onClick(id: string, asking: Asking, work: () => Promise<void>): void {
  const button = field<HTMLButtonElement>(id);
  button.addEventListener('click', () => void busy(button, asking, work));
}

/** One thing at a time; what went wrong is said where the outcome would stand. */
async function busy(button: HTMLButtonElement, asking: Asking, work: () => Promise<void>): Promise<void> {
  const { t } = asking;
  const place = field('edge-model-outcome');
  const buttons = [...button.parentElement!.querySelectorAll('button')];
  for (const each of buttons) each.disabled = true;
  place.replaceChildren(notice(t('edge-model.notice.working')));
  try {
    await work();
    if (place.querySelector('.edge-notice:only-child')) place.replaceChildren();
  } catch (thrown) {
    const error = thrown as RouteError;
    place.replaceChildren(errorNotice({ code: error.code ?? '', message: error.message ?? String(thrown) }, t));
    if (error.code === 'EDGE_MODEL_INCOMPLETE') await inspect(asking).catch(() => {});
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

/** The dialog's values as they stand, saved or not. */
function settings(): Record<string, string> {
  const form = field('edge-model-choice').closest('.edge-form')!;
  const values: Record<string, string> = {};
  for (const element of form.querySelectorAll<HTMLInputElement>('[id^="node-config-input-"]')) {
    values[element.id.replace('node-config-input-', '')] = element.value;
  }
  return values;
}

function tensors(infos: readonly Tensor[]): string {
  return infos.map(({ name, type, shape }) => `${name}: ${type} [${shape.join(', ')}]`).join('; ');
}
