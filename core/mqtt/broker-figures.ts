import type { Metrics } from '#core/telemetry/metrics.ts';

/** Where Mosquitto tells its own figures, each `sys_interval`; other brokers that have these topics mean the same. */
export const brokerFigureTopics = {
  '$SYS/broker/publish/messages/dropped': 'dropped',
  '$SYS/broker/clients/connected': 'connected',
  '$SYS/broker/clients/total': 'sessions',
  '$SYS/broker/store/messages/count': 'stored',
  '$SYS/broker/store/messages/bytes': 'storedBytes',
} as const;

type Figure = (typeof brokerFigureTopics)[keyof typeof brokerFigureTopics];

/** What an external broker says of itself, as metrics of this node: every node shows the same. */
export interface BrokerFigures {
  /** False when the topic is none of them. */
  receive(topic: string, payload: string): boolean;
}

const gauges: Readonly<Partial<Record<Figure, string>>> = {
  connected: 'returnit_mqtt_broker_clients',
  sessions: 'returnit_mqtt_broker_sessions',
  stored: 'returnit_mqtt_broker_stored_messages',
  storedBytes: 'returnit_mqtt_broker_stored_bytes',
};

export function createBrokerFigures(metrics: Metrics): BrokerFigures {
  const dropped = metrics.counter('returnit_mqtt_broker_dropped_total');
  let droppedBefore = 0;

  return {
    receive(topic, payload) {
      const figure = (brokerFigureTopics as Readonly<Record<string, Figure | undefined>>)[topic];
      if (figure === undefined) return false;
      const value = Number(payload);
      if (!Number.isFinite(value) || value < 0) return true;
      const gauge = gauges[figure];
      if (gauge !== undefined) metrics.gauge(gauge).set({}, value);
      else {
        // The broker counts from its start. What it dropped before this node's start counts too: nobody else told of it.
        const more = value >= droppedBefore ? value - droppedBefore : value;
        if (more > 0) dropped.inc({}, more);
        droppedBefore = value;
      }
      return true;
    },
  };
}
