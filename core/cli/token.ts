import { Command, InvalidArgumentError, Option } from 'commander';
import type { Role } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { createAuthenticator, roles } from '#core/http/authentication.ts';

export interface TokenCommandOptions {
  readonly loadConfig: () => Config;
  /** Where the token goes. */
  readonly write: (text: string) => void;
}

const secondsMax = 86_400;

/** `returnit token --role ops`: a token signed with the local key, for development and operators on the machine. */
export function createTokenCommand(options: TokenCommandOptions): Command {
  return new Command('token')
    .description('Print a token signed with the local key in the data folder')
    .addOption(new Option('--role <role>', 'whom it is for').choices([...roles]).makeOptionMandatory())
    .option('--subject <id>', "the caller's id", 'dev')
    .option('--expires-in <seconds>', `seconds until it expires, at most ${secondsMax}`, parseSeconds, 3600)
    .action(async ({ role, subject, expiresIn }: { role: Role; subject: string; expiresIn: number }) => {
      const authenticator = await createAuthenticator({ config: options.loadConfig() });
      options.write(`${await authenticator.issueToken({ role, subject, expiresInSeconds: expiresIn })}\n`);
    });
}

function parseSeconds(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= 1 && seconds <= secondsMax))
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${secondsMax}.`);
  return seconds;
}
