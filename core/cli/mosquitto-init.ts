import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createDynamicSecurityFile } from '#core/mqtt/dynamic-security-file.ts';

export interface MosquittoInitCommandOptions {
  readonly loadConfig: () => Config;
  readonly write: (text: string) => void;
}

/** `MQTT_URL=ws://returnit:secret@broker:1884 returnit mosquitto-init dynamic-security.json` */
export function createMosquittoInitCommand(options: MosquittoInitCommandOptions): Command {
  return new Command('mosquitto-init')
    .description("Write the first accounts file of Mosquitto's dynamic security: the user of MQTT_URL and nobody else")
    .argument('<file>', 'a file that does not exist yet')
    .action(async (file: string) => {
      const { mqttUrl } = options.loadConfig();
      const { username = '', password = '' } = mqttUrl === null ? {} : new URL(mqttUrl);
      if (username === '' || password === '') {
        const message = 'Cannot write an accounts file: MQTT_URL must name the user and the password of the nodes';
        throw new AppError('INVALID_CONFIG', message, { details: { variable: 'MQTT_URL' } });
      }
      const text = createDynamicSecurityFile(decodeURIComponent(username), decodeURIComponent(password));
      await writeFile(file, text, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        const message = `Cannot write "${file}": it exists, and the broker may have accounts in it`;
        throw new AppError('INVALID_CONFIG', message, { cause: error });
      });
      options.write(`Wrote ${file}: the broker must be able to read and to write it\n`);
    });
}
