import type { Command } from 'commander';
import { writeJson, type CommandDeps } from './command-deps.ts';
import { parseMinor, parseOrderId, parseText } from './orders-options.ts';
import { moneyOf, phrase, textOf, type Fields } from './orders-records.ts';
import { findRefundable } from './orders-story.ts';
import { findRunningCore, type RunningCore } from './running-core.ts';

interface ActOptions {
  readonly reason?: string;
  readonly driver?: string;
  readonly amount?: number;
  readonly payment?: string;
  readonly json?: true;
}

interface Act {
  readonly name: string;
  readonly description: string;
  /** What the command takes beside an id, a reason and `--json`. */
  readonly options?: (command: Command) => Command;
  readonly reasonNeeded?: true;
  readonly run: (core: RunningCore, orderId: string, options: ActOptions) => Promise<Fields>;
  readonly describe: (answer: Fields, orderId: string) => string;
}

const assignment = '/drivers/assignments';
const reasonBody = ({ reason }: ActOptions): object => (reason === undefined ? {} : { reason });
const describeAssignment = (answer: Fields, orderId: string): string =>
  phrase(orderId, 'is', textOf(answer, 'status') ?? 'changed', textOf(answer, 'driverId'));

const acts: readonly Act[] = [
  {
    name: 'hold',
    description: 'look for no driver until it is released; a driver who has not picked it up loses it',
    reasonNeeded: true,
    run: (core, orderId, options) => core.ask('POST', `${assignment}/${orderId}/hold`, reasonBody(options)),
    describe: describeAssignment,
  },
  {
    name: 'release',
    description: 'look for a driver again',
    run: (core, orderId, options) => core.ask('POST', `${assignment}/${orderId}/release`, reasonBody(options)),
    describe: describeAssignment,
  },
  {
    name: 'reassign',
    description: 'give an order to this driver, whoever has it; without --driver another is looked for',
    options: (command) => command.option('--driver <id>', 'who gets it', parseOrderId),
    run: reassign,
    describe: describeAssignment,
  },
  {
    name: 'refund',
    description: 'give back a part of what was paid',
    options: (command) =>
      command
        .requiredOption('--amount <minor>', "how much, in the currency's smallest unit", parseMinor)
        .option('--payment <id>', 'of this payment, should the order have several', parseOrderId),
    reasonNeeded: true,
    run: refund,
    describe: (answer, orderId) =>
      phrase(
        'refund of',
        moneyOf(answer, 'amountMinor'),
        'of order',
        orderId,
        'is',
        textOf(answer, 'status') ?? 'taken',
      ),
  },
  {
    name: 'cancel',
    description: 'cancel an order whose parcels have not been picked up; what it costs is decided by the policy',
    reasonNeeded: true,
    run: (core, orderId, options) => core.ask('POST', `/orders/${orderId}/cancel`, reasonBody(options)),
    describe: (answer, orderId) => phrase(orderId, 'is', textOf(answer, 'status') ?? 'cancelled'),
  },
];

/** `returnit orders hold|release|reassign|refund|cancel ID …` */
export function registerOrdersActCommands(orders: Command, deps: CommandDeps): void {
  for (const { name, description, options = (command: Command) => command, reasonNeeded, run, describe } of acts) {
    const command = orders.command(name).description(description).argument('<id>', 'which order', parseOrderId);
    const why = reasonNeeded === true ? 'requiredOption' : 'option';
    options(command[why]('--reason <text>', 'why; it stands in the history', parseText))
      .option('--json', 'as JSON')
      .action(async (orderId: string, given: ActOptions) => {
        const answer = await run(await findRunningCore(deps.config), orderId, given);
        if (given.json === true) writeJson(deps, answer);
        else deps.stdout.write(`${describe(answer, orderId)}\n`);
      });
  }
}

async function reassign(core: RunningCore, orderId: string, options: ActOptions): Promise<Fields> {
  const { driver: driverId } = options;
  if (driverId === undefined) return core.ask('POST', `${assignment}/${orderId}/release`, reasonBody(options));
  // Nobody can lose what nobody has: then it is given for the first time.
  const { body } = await core.request('GET', `${assignment}/${orderId}`);
  const verb = body['driverId'] === null ? 'assign' : 'reassign';
  return core.ask('POST', `${assignment}/${orderId}/${verb}`, { driverId });
}

async function refund(
  core: RunningCore,
  orderId: string,
  { amount: amountMinor, reason, payment }: ActOptions,
): Promise<Fields> {
  const paymentId = payment ?? (await findRefundable(core, orderId));
  return core.ask('POST', `/payments/${paymentId}/refunds`, { amountMinor, reason });
}
