import { type Choice, field, fillSelect } from '../common/editor/fields';
import type { Translate } from './facts.editor';

export interface KnownHead {
  id: string;
  task: string;
}

/** What the runtime could not find out about a model. */
export interface Open {
  /** Paths like "input.mean". */
  missing: readonly string[];
  /** The only answers that fit, by path. */
  choices: Readonly<Record<string, readonly string[]>>;
  /** Whether the names of its classes are known, or it has none. */
  named: boolean;
}

/** What is missing, and the field that says it, where its name is another. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  input: ['width', 'height', 'layout'],
  'output.head': ['head'],
  'input.mean': ['preset'],
  'input.scale': ['preset'],
};

/** ImageNet's mean and deviation, red, green, blue, of pixels from 0 to 255. */
const IMAGENET = { mean: ['123.675', '116.28', '103.53'], scale: ['0.01712475', '0.01750700', '0.01742919'] };
const PRESETS: Readonly<Record<string, { mean: string; scale: string }>> = {
  bytes: { mean: '0', scale: '1' },
  unit: { mean: '0', scale: '0.00392156862745098' },
  signed: { mean: '127.5', scale: '0.00784313725490196' },
};

/**
 * The section that describes a model: every field while nobody looked at the model, then only those that it leaves open, with
 * the answers that fit it.
 */
export class Questions {
  private readonly section = field<HTMLDetailsElement>('edge-model-description');
  private readonly task = field<HTMLSelectElement>('node-config-input-task');
  private readonly head = field<HTMLSelectElement>('node-config-input-head');
  private readonly preset = field<HTMLSelectElement>('edge-model-preset');
  private readonly tasks: Choice[];
  private open: Open | null = null;

  constructor(
    private readonly heads: readonly KnownHead[],
    head: string,
    private readonly t: Translate,
  ) {
    this.tasks = [...this.task.options].map(({ value, text }) => ({ value, label: text }));
    this.fillHeads(head);
    this.preset.value = presetOf(input('mean').value, input('scale').value);
    this.task.addEventListener('change', () => this.fillHeads(this.head.value));
    this.preset.addEventListener('change', () => this.fillScale());
    // ImageNet's numbers go by colour.
    input('colours').addEventListener('change', () => this.preset.value === 'imagenet' && this.fillScale());
    // Whatever is answered is no longer marked.
    this.section.addEventListener('change', () => this.show());
    field('edge-model-all').addEventListener('click', () => {
      this.askAll();
      this.task.focus();
    });
    this.show();
  }

  askAll(): void {
    this.open = null;
    fillSelect(this.task, this.tasks, this.task.value);
    this.fillHeads(this.head.value);
    this.show();
  }

  ask(open: Open): void {
    this.open = open;
    const tasks = open.choices.task;
    fillSelect(
      this.task,
      this.tasks.filter(({ value }) => !tasks || value === '' || tasks.includes(value)),
      this.task.value,
    );
    this.fillHeads(this.head.value);
    if (open.missing.length > 0) this.section.open = true;
    this.show();
  }

  /** What is asked for, by the names that the fields have on the screen. */
  names(): string[] {
    return [...this.section.querySelectorAll<HTMLElement>('.edge-wanted')].map((element) => {
      return document.querySelector(`label[for="${element.id}"]`)?.textContent?.trim() || element.id;
    });
  }

  /** Families for the task that was chosen, or those that the outputs fit. */
  private fillHeads(chosen: string): void {
    const fitting = this.open?.choices['output.head'];
    const shown = this.heads.filter(({ id, task }) => {
      return fitting ? fitting.includes(id) : this.task.value === '' || task === this.task.value || id === chosen;
    });
    const choices = shown.map(({ id }) => ({ value: id, label: this.t(`edge-model.head.${id}`) }));
    fillSelect(this.head, [{ value: '', label: this.t('edge-model.choice.model') }, ...choices], chosen);
  }

  private fillScale(): void {
    const { value } = this.preset;
    if (value === 'own') return;
    const blueFirst = input('colours').value === 'bgr';
    const list = (numbers: readonly string[]) => (blueFirst ? [...numbers].reverse() : numbers).join(', ');
    const imagenet = { mean: list(IMAGENET.mean), scale: list(IMAGENET.scale) };
    const { mean, scale } = value === 'imagenet' ? imagenet : (PRESETS[value] ?? { mean: '', scale: '' });
    for (const [name, text] of Object.entries({ mean, scale })) $(input(name)).val(text).trigger('change');
  }

  private show(): void {
    const { open } = this;
    const wanted = new Set(open?.missing.flatMap((path) => FIELDS[path] ?? [path.replace(/^.*\./, '')]));
    if (open && !open.named) wanted.add('labels');
    for (const row of this.section.querySelectorAll<HTMLElement>('.form-row')) {
      const element = row.querySelector<HTMLInputElement>('input, select');
      if (!element) continue;
      const name = element.id.replace(/^node-config-input-|^edge-model-/, '');
      const isEmpty = element.value === '';
      row.hidden = isNumbers(name) ? this.preset.value !== 'own' : open !== null && !wanted.has(name) && isEmpty;
      // Without names of its classes a model runs.
      const isAsked = wanted.has(name) && isEmpty && name !== 'labels';
      element.classList.toggle('edge-wanted', isAsked);
      element.setAttribute('aria-required', String(isAsked));
      const [first] = element instanceof HTMLSelectElement ? element.options : [];
      if (first?.value === '') first.text = this.t(`edge-model.choice.${wanted.has(name) ? 'choose' : 'model'}`);
    }
    field('edge-model-scale-hint').hidden = this.preset.value !== 'own';
    field('edge-model-more').hidden = open === null;
    field('edge-model-asked').textContent = this.t(`edge-model.hint.${hintOf(open)}`);
  }
}

function hintOf(open: Open | null): string {
  if (!open) return 'description';
  if (open.missing.length > 0) return 'asked';
  return open.named ? 'nothingAsked' : 'labelsAsked';
}

function presetOf(mean: string, scale: string): string {
  if (mean.trim() === '' && scale.trim() === '') return '';
  const same = (text: string, numbers: readonly string[]) => {
    const said = text.split(',').map(Number);
    const equal = (list: readonly string[]) => list.length === said.length && list.every((each, at) => Number(each) === said[at]);
    return equal(numbers) || equal([...numbers].reverse());
  };
  if (same(mean, IMAGENET.mean) && same(scale, IMAGENET.scale)) return 'imagenet';
  const found = Object.entries(PRESETS).find(([, preset]) => same(mean, [preset.mean]) && same(scale, [preset.scale]));
  return found ? found[0] : 'own';
}

function isNumbers(name: string): boolean {
  return name === 'mean' || name === 'scale';
}

function input(name: string): HTMLInputElement {
  return field(`node-config-input-${name}`);
}
