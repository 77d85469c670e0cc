// tests/storage/environment_fixture.hpp — what the tests of environments share: rows to store, and a child to crash in.
#pragma once

#include "kith/storage/environment.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>

namespace kith_test {

using kith::detail::Environment;
using kith::detail::EnvironmentMode;
using kith::detail::ReadTransaction;
using kith::detail::WriteTransaction;

inline std::string row_of(std::uint64_t id) {
    return std::string(id % 300, static_cast<char>('a' + id % 26)) + std::to_string(id);
}

inline void fill_rows(const std::filesystem::path& directory, std::uint64_t count) {
    Environment environment(directory, EnvironmentMode::create);
    environment.write([&](WriteTransaction& changes) {
        for (std::uint64_t id = 0; id < count; ++id) {
            changes.put_row(id, row_of(id));
            changes.put_key("key-" + std::to_string(id), id);
        }
        changes.put_state("checkpoint", "the state");
    });
}

inline Raised open_trouble(const std::filesystem::path& directory, EnvironmentMode mode = EnvironmentMode::read_write) {
    return raised([&] { Environment(directory, mode); });
}

// The exit code of `act` in a child process; 1000 + the signal that ended it.
template <class Act>
int in_child(Act&& act) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (const int fatal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(fatal, SIG_DFL);
        int code = 99;
        try {
            code = act();
        } catch (...) {
            code = 98;
        }
        ::_exit(code);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace kith_test
