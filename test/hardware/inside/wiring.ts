/** Which line of the board is wired to what; the tests on the host and the programs in the guest agree on it. */
export const LINES = 8;
export const INTERRUPT_LINE = 4;
export const BUTTON_LINE = 2;
export const LED_LINE = 6;
/** Of the chip in the tests of the bus itself. */
export const CHIP_ADDRESS = 0x42;
export const EMPTY_ADDRESS = 0x43;
/** What the person does in the runs of whole boards. */
export const ACTIVITY = 'walking';
/** Of the agent that runs as a service. */
export const SERVICE_CHIP = { chip: 'mpu6050', address: 0x68 } as const;
/** Each on a bus of its own, behind the board's; things happen to the first of a pair. */
export const FAILING_PAIRS = [
  ['adxl345', 'l3gd20h'],
  ['l3gd20h', 'adxl345'],
] as const;
