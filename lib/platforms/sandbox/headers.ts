/** The slot that an answer came from; answers of the front door itself have none. */
export const SLOT_HEADER = 'x-runbooks-slot'

/** `<slot>.<token>`: answers come from that slot, whatever the weights are. */
export const TRACK_HEADER = 'x-runbooks-track'
