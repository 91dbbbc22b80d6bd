export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'info';
export type Unit = 'seconds' | 'bytes';

/** What one metric is, whatever its labels. */
export interface Family {
  /** Without the `_total` of a counter and the `_info` of an info, which each format writes as it wants. */
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly unit?: Unit;
}

export type Labels = Readonly<Record<string, string>>;

const NAME = /^[a-z][a-z0-9_]*$/;
/** Ends that the formats give to samples themselves. */
const RESERVED = /_(total|info|created|bucket|count|sum)$/;

/** @throws TypeError for a name that the formats or Prometheus' naming rules do not allow: a fault of ours, met by every test. */
export function family(type: FamilyType, name: string, help: string): Family {
  if (!NAME.test(name) || RESERVED.test(name)) throw new TypeError(`no name of a metric: ${name}`);
  const unit = /_(seconds|bytes)$/.exec(name)?.[1] as Unit | undefined;
  return { name, type, help, ...(unit ? { unit } : {}) };
}
