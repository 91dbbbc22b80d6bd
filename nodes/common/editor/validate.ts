/**
 * A validator of the editor: true, or a sentence in the viewer's language that says what is expected. Node-RED shows such a
 * sentence as the field's tooltip; its types know only booleans.
 */
export type Validator = (this: object, value: unknown) => boolean;

type Explained = true | string;

/** `${NAME}`: Node-RED puts the environment variable's value there at run time, so it is right in every field. */
export function isEnvironment(value: unknown): boolean {
  return typeof value === 'string' && /^\$\{[^}]+\}$/.test(value.trim());
}

/** A number of a range; empty means the default. */
export function numberFrom(min: number, max: number, options: { integer?: boolean; required?: boolean } = {}): Validator {
  return explained((value, say) => {
    if (isEnvironment(value)) return true;
    if (isEmpty(value)) return options.required ? say('required') : true;
    const number = Number(value);
    const right = Number.isFinite(number) && number >= min && number <= max && (!options.integer || Number.isInteger(number));
    return right || say(options.integer ? 'integer' : 'number', { min, max });
  });
}

/** Some text. */
export function required(): Validator {
  return explained((value, say) => !isEmpty(value) || say('required'));
}

/** Text of a form; empty means the default. `key` of the shared catalogue's `edge.validate` says what is expected. */
export function matching(pattern: RegExp, key: string): Validator {
  return explained((value, say) => isEmpty(value) || isEnvironment(value) || pattern.test(String(value).trim()) || say(key));
}

/** Both must be content; the first complaint is said. */
export function both(first: Validator, second: Validator): Validator {
  return function (value) {
    const said = first.call(this, value);
    return said === true ? second.call(this, value) : said;
  };
}

type Say = (key: string, values?: Record<string, unknown>) => string;

function explained(check: (value: unknown, say: Say) => Explained): Validator {
  return function (value) {
    // Node-RED validates nodes of an imported flow before it gives them their translator.
    const translate = (this as { _?: Say })._ ?? ((key: string) => key);
    return check(value, (key, values) => translate(`edge.validate.${key}`, values)) as boolean;
  };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || String(value).trim() === '';
}
