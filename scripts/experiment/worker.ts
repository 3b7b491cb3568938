/** The process that runs trials: `node worker.js PATH-OR-NAME`, forked by pool.ts and by nothing else. */
import { openDataSet } from '../../core/trace/data-set.ts';
import { dataDirectory } from '../data/data-directory.ts';
import { serveTrials } from './serve-trials.ts';

await serveTrials(() => openDataSet(process.argv[2] ?? '', dataDirectory()));
