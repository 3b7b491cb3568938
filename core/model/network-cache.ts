/** One network per model spec, made when first asked for: loading TensorFlow takes half a second that most commands don't need. */
import { loadBackend } from './backend.ts';
import type { Network } from './network.ts';
import { createNetwork } from './network-tf.ts';
import { type ModelSpec, shapeHash } from './spec.ts';

/** The network for a spec. Rejects with AppError `backend-wrong` when TensorFlow is not the native one. */
export type NetworkFor = (spec: ModelSpec) => Promise<Network>;

export function createNetworkCache(): NetworkFor {
  const networks = new Map<number, Promise<Network>>();
  return (spec) => {
    const key = shapeHash(spec);
    const known = networks.get(key) ?? loadBackend().then((tf) => createNetwork(tf, spec));
    networks.set(key, known);
    return known;
  };
}
