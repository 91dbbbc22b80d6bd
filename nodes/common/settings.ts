import { invalidSetting } from '../../core/errors';

/** Settings come from a dialog, an imported flow or an environment variable: strings, numbers or nothing. Parsed once, here. */

/** @throws EDGE_SETTING unless the value is a number in the range; an empty one gives `fallback`. */
export function numberSetting(
  name: string,
  value: unknown,
  range: { min: number; max: number; fallback: number; integer?: boolean },
): number {
  if (value === undefined || value === null || value === '') return range.fallback;
  const number = Number(value);
  if (!Number.isFinite(number) || number < range.min || number > range.max || (range.integer && !Number.isInteger(number))) {
    throw invalidSetting(name, `a ${range.integer ? 'whole ' : ''}number from ${range.min} to ${range.max}`, value);
  }
  return number;
}

/** @throws EDGE_SETTING unless the value is one of `choices`; an empty one gives the first. */
export function choiceSetting<T extends string>(name: string, value: unknown, choices: readonly [T, ...T[]]): T {
  if (value === undefined || value === null || value === '') return choices[0];
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw invalidSetting(name, `one of ${choices.join(', ')}`, value);
  return found;
}

export function textSetting(name: string, value: unknown, fallback = ''): string {
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'string') throw invalidSetting(name, 'a text', value);
  return value.trim() === '' ? fallback : value.trim();
}

export function flagSetting(value: unknown, fallback: boolean): boolean {
  if (value === undefined || value === null || value === '') return fallback;
  return value === true || value === 'true' || value === '1' || value === 1;
}
