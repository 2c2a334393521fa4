// Relays and STUN servers for invites of public, where a host has others than the package's: `npm run build:page` writes them.
export const settings = {};
