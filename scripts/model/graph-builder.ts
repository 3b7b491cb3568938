/**
 * A TensorFlow.js graph model, node by node: `model.json` and `weights.bin`, as `tf.loadGraphModel` takes them. Only operations that
 * every backend of TensorFlow.js has. Constants are the weights; each node is named once, after what it is.
 * Source: @tensorflow/tfjs-converter, src/data/compiled_api.ts (GraphDef as JSON) and src/operations/op_list.
 */

/** Name of a node: its output. */
export type Node = string;

export interface GraphBuilder {
  /** An input `[n, …shape]`. */
  input(name: string, shape: readonly number[]): Node;
  constant(values: readonly number[] | Float32Array, shape: readonly number[]): Node;
  integers(values: readonly number[]): Node;
  /** An operation on nodes; `attributes` as `T`, `keep_dims`, … beside the type, which is float32. */
  op(kind: string, inputs: readonly Node[], attributes?: Readonly<Record<string, Attribute>>): Node;
  /** Gives a node a name to the outside. */
  output(name: string, node: Node, shape: readonly number[]): void;
  build(metadata: object, version: string): { readonly model: object; readonly weights: Buffer };
}

/** GraphDef's AttrValue as JSON; strings are base64, 64-bit integers are text. */
export type Attribute =
  | { readonly b: boolean }
  | { readonly i: string }
  | { readonly s: string }
  | { readonly type: string }
  | { readonly list: { readonly i: readonly string[] } }
  | { readonly tensor: object }
  | { readonly shape: object };

const FLOAT: Attribute = { type: 'DT_FLOAT' };

export function text(value: string): Attribute {
  return { s: Buffer.from(value).toString('base64') };
}

export function createGraphBuilder(): GraphBuilder {
  const nodes: { name: string; op: string; input?: readonly string[]; attr: Record<string, Attribute> }[] = [];
  const weights: { name: string; shape: readonly number[]; dtype: string }[] = [];
  const bytes: Buffer[] = [];
  const signature = { inputs: {} as Record<string, object>, outputs: {} as Record<string, object> };

  const weight = (values: Float32Array | Int32Array, shape: readonly number[]): Node => {
    const isFloat = values instanceof Float32Array;
    const name = `constant_${weights.length}`;
    const type = isFloat ? 'DT_FLOAT' : 'DT_INT32';
    nodes.push({
      name,
      op: 'Const',
      attr: { dtype: { type }, value: { tensor: { dtype: type, tensorShape: shapeOf(shape) } } },
    });
    weights.push({ name, shape, dtype: isFloat ? 'float32' : 'int32' });
    bytes.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return name;
  };
  return {
    input(name, shape) {
      nodes.push({ name, op: 'Placeholder', attr: { dtype: FLOAT, shape: { shape: shapeOf([-1, ...shape]) } } });
      signature.inputs[name] = { name: `${name}:0`, dtype: 'DT_FLOAT', tensorShape: shapeOf([-1, ...shape]) };
      return name;
    },
    constant: (values, shape) => weight(Float32Array.from(values), shape),
    integers: (values) => weight(Int32Array.from(values), [values.length]),
    op(kind, input, attributes = {}) {
      const name = `${kind}_${nodes.length}`;
      nodes.push({ name, op: kind, input, attr: { T: FLOAT, ...attributes } });
      return name;
    },
    output(name, node, shape) {
      nodes.push({ name, op: 'Identity', input: [node], attr: { T: FLOAT } });
      signature.outputs[name] = { name: `${name}:0`, dtype: 'DT_FLOAT', tensorShape: shapeOf([-1, ...shape]) };
    },
    build(userDefinedMetadata, version) {
      const model = {
        format: 'graph-model',
        generatedBy: `qqr-edge ${version}`,
        convertedBy: null,
        signature,
        userDefinedMetadata,
        modelTopology: { node: nodes, library: {}, versions: {} },
        weightsManifest: [{ paths: ['weights.bin'], weights }],
      };
      return { model, weights: Buffer.concat(bytes) };
    },
  };
}

function shapeOf(shape: readonly number[]): object {
  return { dim: shape.map((size) => ({ size: String(size) })) };
}
