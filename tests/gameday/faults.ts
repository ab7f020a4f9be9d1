import type { Fault } from './fault.ts';
import { businessFaults } from './faults/business.ts';
import { capacityFaults } from './faults/capacity.ts';
import { coreFaults } from './faults/core.ts';
import { databaseFaults } from './faults/database.ts';
import { httpFaults } from './faults/http.ts';
import { ingestFaults } from './faults/ingest.ts';
import { jobFaults } from './faults/jobs.ts';
import { metaFaults } from './faults/meta.ts';
import { pluginFaults } from './faults/plugins.ts';
import { storageFaults } from './faults/storage.ts';

/** All that is done to the system, one after another. */
export const faults: readonly Fault[] = [
  ...pluginFaults,
  ...httpFaults,
  ...databaseFaults,
  ...jobFaults,
  ...ingestFaults,
  ...coreFaults,
  ...storageFaults,
  ...capacityFaults,
  ...businessFaults,
  ...metaFaults,
];
