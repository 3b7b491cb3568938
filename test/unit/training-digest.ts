/** Trains a small network for some rounds. Run as a program it prints the digest of every bit that came out. */
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { loadBackend, type Tf } from '../../core/model/backend.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { initParams } from '../../core/model/params.ts';
import type { Fill } from '../../core/model/settings.ts';
import { settings, toyBatch, toyPrototypes, toySpec } from '../golden/toy.ts';

export function trainingDigest(tf: Tf, fill: Fill): string {
  const spec = toySpec(3);
  const network = createNetwork(tf, spec);
  const prototypes = toyPrototypes(spec, 2, [[1, 0]]);
  const hash = createHash('sha256');
  let params = initParams(spec, 1);
  for (let round = 0; round < 5; round++) {
    const batch = toyBatch(spec, 10, round, [
      [round, 1],
      [3, 2],
    ]);
    const output = network.train({ params, prototypes, batch, settings: { ...settings, fill } });
    for (const values of [output.params, output.probabilities, output.losses, ...output.embeddings])
      hash.update(values);
    hash.update(
      network.infer({ params, prototypes, batch, fill, fillTemperature: settings.fillTemperature }).probabilities,
    );
    params = output.params;
  }
  return hash.digest('hex');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(trainingDigest(await loadBackend(), 'pnr'));
}
