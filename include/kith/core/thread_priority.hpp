// kith/core/thread_priority.hpp — work in the background gives way to work that someone waits for.
//
// Platforms: Linux, where each thread has a nice value of its own; elsewhere nothing happens.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace kith::inline v0::detail {

/// Gives the calling thread, and those it starts from here on, a third of the share that it would get of a core which
/// others want too. A core that is idle it gets whole.
inline void give_way_to_others() noexcept {
#if defined(__linux__)
    constexpr int step = 5, lowest = 19;
    errno = 0;
    const int now = ::getpriority(PRIO_PROCESS, 0);
    if (now == -1 && errno != 0) return;
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, std::min(now + step, lowest)));  // lower is always allowed
#endif
}

}  // namespace kith::inline v0::detail
