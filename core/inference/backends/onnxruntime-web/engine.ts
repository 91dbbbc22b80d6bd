/**
 * ONNX Runtime's WebAssembly binding for Node.js. The build bundles it into this file's output and lays the two files of the
 * engine itself beside it: the npm package holds 145 MB of builds for browsers, of which these 14 MB are one.
 */
export { env, InferenceSession, Tensor } from 'onnxruntime-web';
