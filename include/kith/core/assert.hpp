// kith/core/assert.hpp — contracts between our own functions, checked in test builds.
//
// A broken contract is a bug in the caller, never bad input: input is checked at the facade, which raises an Error.
// So the check may vanish from release builds, and where it stands it stops the program at the broken promise.
#pragma once

#ifdef KITH_ASSERTS
#undef NDEBUG
#include <cassert>
#define KITH_ASSERT(condition) assert(condition)
#else
#define KITH_ASSERT(condition) static_cast<void>(0)
#endif
