package walstream

const fionread = 0x4004667f // sys/filio.h
