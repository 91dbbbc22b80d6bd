import { PerSource } from '../../../core/vision/per-source';

describe('something for each source', () => {
  it('is made once for each, and another for another', () => {
    const items = new PerSource(() => ({}));
    expect(items.of('gate')).toBe(items.of('gate'));
    expect(items.of('gate')).not.toBe(items.of('yard'));
    expect(items.sources).toEqual(['gate', 'yard']);
  });

  it('is forgotten for the source not heard of for longest when there are too many', () => {
    const items = new PerSource(() => ({}), 3);
    for (const source of ['a', 'b', 'c', 'a', 'd']) items.of(source);
    expect(items.sources).toEqual(['c', 'a', 'd']);
    expect(items.evicted).toBe(1);
    items.clear();
    expect(items.sources).toEqual([]);
  });

  it('stays bounded however many sources come', () => {
    const items = new PerSource(() => ({}));
    for (let source = 0; source < 5000; source++) items.of(`topic/${source}`);
    expect(items.sources).toHaveLength(64);
    expect(items.evicted).toBe(4936);
  });
});
