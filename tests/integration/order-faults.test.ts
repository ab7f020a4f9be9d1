import { describeFaults } from '../support/orders/faults-at-steps.ts';
import { partFailures } from '../support/orders/faults.ts';

describeFaults('orders of which a part of the platform fails at a step', partFailures);
