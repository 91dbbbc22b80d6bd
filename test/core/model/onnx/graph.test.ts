import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readModel, writeModel } from '../../../../core/model/onnx/graph';
import { modelMetadata } from '../../../../core/model/onnx/metadata';
import { declaration } from '../../../../core/model/onnx/node';
import { create, DataLocation, ModelProtoSchema, TensorProtoSchema } from '../../../../core/model/onnx/protobuf';
import { constant, constantValue, floats } from '../../../../core/model/onnx/tensor';
import { describeWith, SHARED } from '../../../support/needs';
import { tinyModel } from './tiny';

const io = {
  inputs: [declaration('x', 'float32', [1, 'N'])],
  outputs: [declaration('y', 'float32', [1, 'N'])],
};

describe('reading a model', () => {
  it('tells inputs, outputs, operator set and what the exporter left', () => {
    const model = readModel(tinyModel(io));
    model.producerName = 'hand';
    model.metadataProps = create(ModelProtoSchema, {
      metadataProps: [
        { key: '__proto__', value: 'x' },
        { key: 'names', value: "{0: 'a'}" },
      ],
    }).metadataProps;
    const metadata = modelMetadata(writeModel(model));
    expect(metadata).toMatchObject({
      opset: 13,
      producer: 'hand',
      inputs: [{ name: 'x', type: 'float32', shape: [1, 'N'] }],
      outputs: [{ name: 'y', type: 'float32', shape: [1, 'N'] }],
    });
    expect(metadata.properties.names).toBe("{0: 'a'}");
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it('does not take weights for inputs where an old exporter lists both', () => {
    const weights = declaration('w', 'float32', [1]);
    const bytes = tinyModel({ ...io, inputs: [...io.inputs, weights], constants: [constant('w', floats([1]))] });
    expect(modelMetadata(bytes).inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['text', new TextEncoder().encode('<html>404 Not Found</html>')],
    ['zeros', new Uint8Array(64)],
    ['a message without a graph', writeModel(create(ModelProtoSchema, { irVersion: 8n }))],
  ])('refuses %s', (_, bytes) => {
    expect(() => readModel(bytes)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_INVALID' }));
  });

  it('reads constants from typed fields as from raw bytes', () => {
    const typed = create(TensorProtoSchema, { name: 'c', dims: [2n], dataType: 1, floatData: [1, 2] });
    expect(constantValue(typed).data).toEqual(constantValue(constant('c', floats([1, 2]))).data);
    const short = create(TensorProtoSchema, { name: 'c', dims: [3n], dataType: 1, floatData: [1, 2] });
    expect(() => constantValue(short)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_INVALID' }));
  });
});

describe('data outside the model file', () => {
  const withLocation = (location: string | undefined) => {
    const tensor = constant('w', floats([1]));
    tensor.dataLocation = DataLocation.EXTERNAL;
    if (location !== undefined)
      tensor.externalData = [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location }];
    return tinyModel({ ...io, constants: [tensor] });
  };

  it.each(['weights.bin', 'parts/weights.bin'])('may lie beside it: %s', (location) => {
    expect(() => readModel(withLocation(location))).not.toThrow();
  });

  it.each([
    '/etc/passwd',
    '../weights.bin',
    'parts/../../weights.bin',
    '..\\weights.bin',
    'C:\\weights.bin',
    '\\\\server\\share\\weights.bin',
    'weights.bin\0.txt',
    '',
    undefined,
  ])('may not lie outside its folder: %j', (location) => {
    expect(() => readModel(withLocation(location))).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_EXTERNAL_DATA' }));
  });
});

describeWith(['shared'], 'published models', () => {
  const names = ['ultraface_slim_320', 'yunet_n_320_320', 'silero_vad_v6'];

  it.each(names)('%s is written back byte for byte', (name) => {
    const bytes = readFileSync(join(SHARED, 'models', `${name}.onnx`));
    expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
  });

  it('mutated or cut, are read or refused with a code, and nothing else happens', () => {
    const bytes = new Uint8Array(readFileSync(join(SHARED, 'models', 'yunet_n_320_320.onnx')));
    let state = 20261124;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    const codes = new Set<unknown>();
    for (let round = 0; round < 400; round += 1) {
      const mutated = round % 4 === 0 ? bytes.slice(0, random(bytes.length)) : bytes.slice();
      for (let flips = 0; flips < 8 && mutated.length > 0; flips += 1) {
        mutated[random(round % 2 === 0 ? mutated.length : Math.min(mutated.length, 4096))] = random(256);
      }
      try {
        modelMetadata(mutated);
      } catch (thrown) {
        codes.add((thrown as { code?: unknown }).code);
      }
    }
    codes.delete('EDGE_MODEL_EXTERNAL_DATA');
    expect([...codes]).toEqual(['EDGE_MODEL_INVALID']);
  });
});
