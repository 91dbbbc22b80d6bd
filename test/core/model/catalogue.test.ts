import { catalogue, catalogueEntry, DEFAULT_MODEL } from '../../../core/model/catalogue';
import { parseSource } from '../../../core/model/source';
import { headNamed } from '../../../core/vision/heads';

describe('the catalogue', () => {
  it('begins with the detector that ships in the package', () => {
    expect(catalogue()[0]).toMatchObject({ id: DEFAULT_MODEL, quantization: 'int8' });
    expect(parseSource(catalogue()[0]!.source).kind).toBe('package');
  });

  it('holds each id once', () => {
    const ids = catalogue().map((entry) => entry.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(catalogue().map((entry) => [entry.id, entry] as const))(
    '%s may be used commercially, by a head that exists',
    (_id, entry) => {
      expect(entry.licence.commercialUse).toBe(true);
      expect(entry.licence.attribution).toBeTruthy();
      expect(entry.description).toBeTruthy();
      expect(headNamed(entry.output.head).id).toBe(entry.output.head);
      expect(entry.labels.length).toBeGreaterThan(0);
    },
  );

  it.each(
    catalogue()
      .slice(1)
      .map((entry) => [entry.id, entry] as const),
  )('%s is pinned to a commit or a published version, a hash and a size', (_id, entry) => {
    expect(entry.source).toMatch(/^https:\/\/.*\/[0-9a-f]{40}\/|^npm:[^@]+@\d+\.\d+\.\d+\//);
    expect(entry.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(entry.size).toBeGreaterThan(100_000);
  });

  it('names its entries when asked for another', () => {
    expect(() => catalogueEntry('yolo99')).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_NOT_FOUND' }));
    expect(() => catalogueEntry('yolo99')).toThrow(/yolox-nano-416/);
  });

  it('names the 80 classes of COCO in their usual order', () => {
    const { labels } = catalogueEntry(DEFAULT_MODEL);
    expect(labels).toHaveLength(80);
    expect([labels[0], labels[11], labels[79]]).toEqual(['person', 'stop sign', 'toothbrush']);
    expect(catalogueEntry('yolox-nano-416').labels).toEqual(labels);
  });
});
