/** The command `qqr` with everything below it, as its help shows it. Each sub-command lives beside what it runs. */
import { Command } from 'commander';
import { agentCommand } from '../agent/cli.ts';
import { labelCommand } from '../agent/label-command.ts';
import { recordCommand } from '../agent/sensor-commands.ts';
import { ERROR_CODES } from '../core/base/errors.ts';
import { packageVersion } from '../core/base/package-version.ts';
import { serverCommand } from '../server/cli.ts';
import { provisionCommand } from '../server/provision/command.ts';
import { dataCommand } from './data/commands.ts';
import { demoCommand } from './demo.ts';
import { experimentCommand } from './experiment/command.ts';
import { modelCommand } from './model/command.ts';
import { predictCommand } from './predict/command.ts';
import { replayCommand } from './replay/command.ts';

const EXIT_HELP = [
  'Exit status:',
  '  0  done',
  ...[...new Set(Object.values(ERROR_CODES).map(({ exit }) => exit))].map((exit) => {
    const meanings = Object.values(ERROR_CODES).filter((row) => row.exit === exit);
    return ` ${exit}  ${meanings.map(({ means }) => means).join('; ')}`;
  }),
].join('\n');

const EXAMPLES = `
Start here:
  qqr demo                                   watch boards with failing sensors learn, then open the report it wrote
  qqr replay anna.csv.gz ben.csv.gz --test-subjects ben   your own recordings, one board per subject
  qqr server run --boards 2                  an aggregator with its own broker …
  qqr agent run --device pi-1 --replay walk.csv.gz   … and a board that plays a recording to it
`;

export function createProgram(): Command {
  const program = new Command('qqr')
    .description('Online federated learning on motion-sensor boards that keeps going while sensors fail.')
    .version(packageVersion())
    .addHelpText('after', `${EXAMPLES}\n${EXIT_HELP}`);
  const commands = [
    demoCommand(),
    replayCommand(),
    experimentCommand(),
    agentCommand(),
    serverCommand(),
    provisionCommand(),
    labelCommand(),
    recordCommand(),
    dataCommand(),
    modelCommand(),
    predictCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  return program;
}
