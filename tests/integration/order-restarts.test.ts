import { describeFaults } from '../support/orders/faults-at-steps.ts';
import { restarts } from '../support/orders/faults.ts';

describeFaults('orders whose platform restarts at a step', restarts);
