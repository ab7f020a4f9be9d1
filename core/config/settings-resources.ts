import { integer } from './setting.ts';
import { thresholds } from './thresholds.ts';

const of = '; 0 is without a budget';

/** What all nodes together may use; an alert tells of 90 % of any. */
export const resourceSettings = {
  resourceComputeCores: integer('RESOURCE_COMPUTE_CORES', thresholds.resourceCompute.value, {
    description: `Processors that all nodes together are to use at most${of}`,
  }),
  resourceMemoryBytes: integer('RESOURCE_MEMORY_BYTES', thresholds.resourceMemory.value, {
    description: `and memory${of}`,
  }),
  resourceDatabaseBytes: integer('RESOURCE_DATABASE_BYTES', thresholds.resourceDatabase.value, {
    description: `Size of the database on disk${of}`,
  }),
  resourceBandwidthBytes: integer('RESOURCE_BANDWIDTH_BYTES', thresholds.resourceBandwidth.value, {
    description: `Sent over the network in 30 days${of}`,
  }),
  resourceStorageBytes: integer('RESOURCE_STORAGE_BYTES', thresholds.resourceStorage.value, {
    description: `In use on the volume of the data folder${of}`,
  }),
} as const;
