/** `qqr label`: says to a running agent what its person is doing. */
import { Argument, Command } from 'commander';
import { AppError } from '../core/base/errors.ts';
import { askAgent, labelSocketPath } from './labels/label-socket.ts';

const HELP = `
Examples:
  qqr label walking        from now on it is walking
  qqr label --none         from now on nobody knows
  qqr label                what it is at present
  qqr label walking --state ./pi-1     of the agent that runs with this state folder
A label ends by itself after labels.expireMinutes. Buttons and the fleet's topic set the same label: the last word wins.
`;

export function labelCommand(): Command {
  return new Command('label')
    .description('Tell a running agent what its person is doing, or ask it what it was told.')
    .addArgument(new Argument('[name]', 'the activity; without it the present one is printed'))
    .option('--none', 'no label from now on')
    .option('--state <dir>', 'state folder of the agent', '/var/lib/qqr-agent')
    .addHelpText('after', HELP)
    .action(label);
}

async function label(name: string | undefined, { none, state }: { none?: boolean; state: string }): Promise<void> {
  if (none && name !== undefined) throw new AppError('usage', 'a label and --none exclude each other');
  const line = none ? 'none' : name === undefined ? 'current' : `label ${name}`;
  const [current, remark] = (await askAgent(labelSocketPath(state), line)).split('\t');
  process.stdout.write(`${current === '' ? '(no label)' : current}\n`);
  if (remark !== undefined) process.stderr.write(`${remark}\n`);
}
