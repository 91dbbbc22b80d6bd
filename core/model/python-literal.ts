/** Longest text, deepest nesting, most values: beyond these it is not what an exporter writes. */
const LONGEST = 1_000_000;
const DEEPEST = 6;
const MOST = 100_000;

const WORDS: Readonly<Record<string, boolean | null>> = {
  True: true,
  False: false,
  None: null,
  true: true,
  false: false,
  null: null,
};
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };

/** What a literal of Python holds: a dictionary is a list of its pairs, in order, so that no key can be a property. */
export type PythonValue = string | number | boolean | null | PythonValue[] | PythonPairs;

export class PythonPairs {
  constructor(readonly pairs: readonly (readonly [PythonValue, PythonValue])[]) {}
}

/**
 * The value of a literal as Python's `repr` prints it, `{0: 'person', 1: "driver's cab"}`, `[640, 640]`, `True`, which is not
 * JSON (and JSON, which is nearly the same). Nothing is evaluated; undefined where the text is anything else.
 */
export function pythonLiteral(text: string): PythonValue | undefined {
  if (text.length > LONGEST) return undefined;
  try {
    const reader = new Reader(text);
    const value = reader.value(0);
    return reader.ended() ? value : undefined;
  } catch (thrown) {
    if (thrown instanceof NotLiteral) return undefined;
    throw thrown;
  }
}

class NotLiteral extends Error {}

class Reader {
  private at = 0;
  private values = 0;

  constructor(private readonly text: string) {}

  ended(): boolean {
    return this.peek() === '';
  }

  value(depth: number): PythonValue {
    this.values += 1;
    if (depth > DEEPEST || this.values > MOST) throw new NotLiteral();
    const first = this.peek();
    if (first === '{') return this.dictionary(depth);
    if (first === '[') return this.list('[', ']', depth);
    if (first === '(') return this.list('(', ')', depth);
    if (first === "'" || first === '"') return this.string(first);
    return this.word();
  }

  private dictionary(depth: number): PythonPairs {
    const pairs: [PythonValue, PythonValue][] = [];
    this.expect('{');
    while (this.peek() !== '}') {
      const key = this.value(depth + 1);
      this.expect(':');
      pairs.push([key, this.value(depth + 1)]);
      if (this.peek() === ',') this.expect(',');
      else break;
    }
    this.expect('}');
    return new PythonPairs(pairs);
  }

  private list(open: string, close: string, depth: number): PythonValue[] {
    const items: PythonValue[] = [];
    this.expect(open);
    while (this.peek() !== close) {
      items.push(this.value(depth + 1));
      if (this.peek() === ',') this.expect(',');
      else break;
    }
    this.expect(close);
    return items;
  }

  private string(quote: string): string {
    this.expect(quote);
    let value = '';
    for (;;) {
      const letter = this.text[this.at++];
      if (letter === undefined) throw new NotLiteral();
      if (letter === quote) return value;
      value += letter === '\\' ? this.escaped() : letter;
    }
  }

  /** What Python does not know as an escape stays as it is, backslash included. */
  private escaped(): string {
    const letter = this.text[this.at++] ?? '';
    const digits = { x: 2, u: 4, U: 8 }[letter];
    if (digits === undefined) return ESCAPES[letter] ?? `\\${letter}`;
    const code = this.text.slice(this.at, this.at + digits);
    if (!new RegExp(`^[0-9a-f]{${digits}}$`, 'i').test(code) || Number.parseInt(code, 16) > 0x10ffff) throw new NotLiteral();
    this.at += digits;
    return String.fromCodePoint(Number.parseInt(code, 16));
  }

  private word(): number | boolean | null {
    const word = /^[\w.+-]{1,40}/.exec(this.text.slice(this.at, this.at + 40))?.[0] ?? '';
    this.at += word.length;
    if (Object.hasOwn(WORDS, word)) return WORDS[word]!;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word)) throw new NotLiteral();
    return Number(word);
  }

  private peek(): string {
    while (' \t\r\n'.includes(this.text[this.at] ?? '-')) this.at += 1;
    return this.text[this.at] ?? '';
  }

  private expect(letter: string): void {
    if (this.peek() !== letter) throw new NotLiteral();
    this.at += 1;
  }
}
