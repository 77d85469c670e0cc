// kith/core/config.hpp — the switches a build may set, and what each means when it is left alone.
//
// KITH_COMPILED   1 when the program links the compiled unit (target kith::kith): distance kernels are chosen at run
//                 time and collections may live in a directory. 0 for header-only use, which works in memory.
// KITH_ENGINE_HERE 1 where the engine of collections is defined: with the compiled unit there alone, so that programs do
//                 not compile it again in each of their files; without it wherever it is used.
// KITH_ASSERTS    defined in builds that check contracts (see core/assert.hpp); every test build does.
#pragma once

#ifndef KITH_COMPILED
#define KITH_COMPILED 0
#endif

#ifndef KITH_ENGINE_HERE
#define KITH_ENGINE_HERE !KITH_COMPILED
#endif

// Before a function that the compiled unit holds where there is one.
#if KITH_COMPILED
#define KITH_INLINE
#else
#define KITH_INLINE inline
#endif
