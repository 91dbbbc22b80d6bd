import { parseSource, showSource } from '../../../core/model/source';

const HASH = 'a'.repeat(64);

describe('a model source', () => {
  it.each([
    ['catalogue:yolox-nano-416', { kind: 'catalogue', id: 'yolox-nano-416' }],
    ['package:coco.onnx', { kind: 'package', path: 'coco.onnx' }],
    [
      `https://example.org/a/b.onnx#sha256=${HASH.toUpperCase()}`,
      { kind: 'https', url: 'https://example.org/a/b.onnx', sha256: HASH },
    ],
    ['npm:left-pad@1.2.3/dist/m.onnx', { kind: 'npm', name: 'left-pad', version: '1.2.3', path: 'dist/m.onnx' }],
    [
      `npm:@a/b@1.0.0-rc.1/m.onnx#sha256=${HASH}`,
      { kind: 'npm', name: '@a/b', version: '1.0.0-rc.1', path: 'm.onnx', sha256: HASH },
    ],
    ['/models/m.onnx', { kind: 'path', path: '/models/m.onnx' }],
    ['models/m.onnx', { kind: 'path', path: 'models/m.onnx' }],
    ['C:\\models\\m.onnx', { kind: 'path', path: 'C:\\models\\m.onnx' }],
    ['file:///models/my%20model.onnx', { kind: 'path', path: '/models/my model.onnx' }],
  ])('%s', (text, source) => {
    expect(parseSource(text)).toEqual(source);
  });

  it('may be absent, which is its own error', () => {
    expect(() => parseSource('  ')).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_NONE' }));
  });

  it.each([
    ['http://example.org/m.onnx', /http could be exchanged/],
    ['ftp://example.org/m.onnx', /expected catalogue:, package:, https:, npm:/],
    ['https://', /a whole https address/],
    ['https://example.org/m.onnx#sha256=12', /64 hexadecimal digits/],
    ['npm:left-pad/dist/m.onnx', /with a whole version/],
    ['npm:left-pad@^1.0.0/m.onnx', /with a whole version/],
    ['npm:left-pad@latest/m.onnx', /with a whole version/],
    ['npm:left-pad@1.2.3/../../etc/passwd', /without "\.\."/],
    ['npm:left-pad@1.2.3/a/./b', /without "\.\."/],
    ['npm:left-pad@1.2.3/a\\..\\b', /without "\.\."/],
    ['package:../../package.json', /without "\.\."/],
    ['package:/etc/passwd', /without "\.\."/],
    ['file://host/m.onnx', /file:\/\/\/PATH/],
    ['a\0b', /4096/],
  ])('%s is refused', (text, sentence) => {
    expect(() => parseSource(text)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_SOURCE' }));
    expect(() => parseSource(text)).toThrow(sentence);
  });

  it('is shown without passwords and queries', () => {
    expect(showSource(parseSource('https://me:secret@example.org/m.onnx?token=secret'))).toBe('https://example.org/m.onnx');
    expect(() => parseSource('https://me:secret@example.org/m.onnx?k=secret#nonsense')).toThrow(/^((?!secret).)*$/);
  });
});
