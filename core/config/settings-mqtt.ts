import { integer, ratio, text } from './setting.ts';

/** Devices' messages: limits of the broker, batches, and what is kept at an external broker. */
export const mqttSettings = {
  mqttPacketMaxBytes: integer('MQTT_PACKET_MAX_BYTES', 65_536, { description: 'Largest MQTT packet', min: 128 }),
  mqttConnectionsMax: integer('MQTT_CONNECTIONS_MAX', 5000, {
    description: 'Devices connected to the embedded broker',
    min: 1,
  }),
  mqttInflightMax: integer('MQTT_INFLIGHT_MAX', 10_000, {
    description: 'Messages received and not yet acknowledged, of all devices',
    min: 1,
  }),
  mqttInflightMaxBytes: integer('MQTT_INFLIGHT_MAX_BYTES', 67_108_864, {
    description: 'Bytes of those messages',
    min: 1,
  }),
  mqttReadTurnMs: integer('MQTT_READ_TURN_MS', 5, {
    description: 'Time for which messages are read before everything else has its turn',
    min: 1,
  }),
  mqttBatchSizeMax: integer('MQTT_BATCH_SIZE_MAX', 500, {
    description: 'Messages handed to a plugin at once',
    min: 1,
    max: 5000,
  }),
  mqttBatchWaitMs: integer('MQTT_BATCH_WAIT_MS', 20, { description: 'Longest wait for a batch to fill' }),
  mqttPromptPerSecond: integer('MQTT_PROMPT_PER_SECOND', 2, {
    description: 'Messages a second on one topic up to which they go before the backlogs of others',
    min: 1,
  }),
  mqttPromptBurst: integer('MQTT_PROMPT_BURST', 5, {
    description: 'Messages that may come at once on such a topic',
    min: 1,
  }),
  mqttBacklogShare: ratio(
    'MQTT_BACKLOG_SHARE',
    0.5,
    'Part of the time in which backlogs are handled while others send now and then',
  ),
  mqttSharedBatchSizeMax: integer('MQTT_SHARED_BATCH_SIZE_MAX', 100, {
    description: 'Messages of a backlog handed to a plugin at once meanwhile',
    min: 1,
    max: 5000,
  }),
  mqttRetryDelayMs: integer('MQTT_RETRY_DELAY_MS', 500, {
    description: 'First delay before a failed batch is tried again; it doubles up to 30 s',
    min: 1,
  }),
  mqttAccounts: text('MQTT_ACCOUNTS', 'none', {
    description:
      "How an external broker is told of the devices' credentials: none, or dynamic-security of a Mosquitto 2",
    oneOf: ['none', 'dynamic-security'],
  }),
  mqttHandoverAfterMs: integer('MQTT_HANDOVER_AFTER_MS', 15_000, {
    description: 'A node unheard of for this long is dead: another takes over what an external broker holds for it',
    min: 100,
  }),
  mqttShareGuard: text('MQTT_SHARE_GUARD', 'plain', {
    description:
      'What several nodes keep at an external broker beside the shared subscription: plain, as a Mosquitto forgets the shared one when it restarts, or none',
    oneOf: ['plain', 'none'],
  }),
} as const;
