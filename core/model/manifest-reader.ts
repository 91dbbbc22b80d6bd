import { EdgeError } from '../errors';
import type { ImageInput } from './manifest';

/** Checks one value each and refuses it in one sentence: where, which field, what was expected, what was there. */
export class Reader {
  constructor(private readonly where: string) {}

  wrong(path: string, expected: string, actual: unknown): EdgeError {
    const shown = actual === undefined ? 'nothing' : (JSON.stringify(actual) ?? typeof actual).slice(0, 60);
    return refused(this.where, `${path || 'the whole'}: expected ${expected}, got ${shown}`);
  }

  /** Own fields only, so that nothing inherited or named `__proto__` is ever read. */
  object<K extends string>(value: unknown, path: string, known: readonly K[]): Partial<Record<K, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(path, 'an object', value);
    const fields: Partial<Record<K, unknown>> = Object.create(null);
    for (const [name, field] of Object.entries(value)) {
      if (!(known as readonly string[]).includes(name)) {
        throw refused(
          this.where,
          `${path ? `${path}.` : ''}${name.slice(0, 60)} is not a known field; known are ${known.join(', ')}`,
        );
      }
      if (field !== undefined) fields[name as K] = field;
    }
    return fields;
  }

  text(value: unknown, path: string, longest: number): string {
    if (typeof value !== 'string' || value === '' || value.length > longest) {
      throw this.wrong(path, `a text of 1 to ${longest} characters`, value);
    }
    return value;
  }

  pattern(value: unknown, path: string, pattern: RegExp, expected: string): string {
    if (typeof value !== 'string' || !pattern.test(value)) throw this.wrong(path, expected, value);
    return value;
  }

  number(value: unknown, path: string, least: number, most: number, integer = false): number {
    const valid = typeof value === 'number' && value >= least && value <= most && (!integer || Number.isInteger(value));
    if (!valid) throw this.wrong(path, `a ${integer ? 'whole ' : ''}number from ${least} to ${most}`, value);
    return value;
  }

  flag(value: unknown, path: string): boolean {
    if (typeof value !== 'boolean') throw this.wrong(path, 'true or false', value);
    return value;
  }

  choice<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.wrong(path, `one of ${choices.join(', ')}`, value);
    return found;
  }

  perChannel(value: unknown, path: string, colours: ImageInput['colours'] | undefined): number[] {
    const channels = colours === 'grey' ? [1] : colours ? [3] : [1, 3];
    const valid = Array.isArray(value) && channels.includes(value.length) && value.every((number) => Number.isFinite(number));
    if (!valid) throw this.wrong(path, `${channels.join(' or ')} numbers`, value);
    return value as number[];
  }

  plainJson(value: unknown, path: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(path, 'an object', value);
    if (JSON.stringify(value).length > 65_536) throw refused(this.where, `${path} is longer than 65,536 characters`);
    if (Object.hasOwn(value, '__proto__')) throw refused(this.where, `${path}.__proto__ is not a known field`);
    return { ...value };
  }
}

/** Why a manifest is not taken; `where` it stands. */
export function refused(where: string, what: string): EdgeError {
  return new EdgeError('EDGE_MODEL_MANIFEST', `${where}: ${what}`);
}
