// tests/support/child.hpp — a process for what may end one: a claim is tried in a child, and its complaint comes back.
//
// Nothing the child does to its limits, mounts or memory touches the test program, and a crash of it is a sentence.
//
// Thread safety: call it while the test program has no other thread, as fork asks.
#pragma once

#include "kith/core/error.hpp"

#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <string>
#include <string_view>

namespace kith_test {

/// What a child process said of itself.
struct ChildSaid {
    std::string complaint;  // empty when all was well
    int signal = 0;         // what ended it, where something did

    [[nodiscard]] bool says(std::string_view words) const { return complaint.find(words) != std::string::npos; }
    [[nodiscard]] bool begins(std::string_view words) const { return complaint.substr(0, words.size()) == words; }
};

/// Runs `act`, which returns a complaint or nothing, in a child process. What it throws is a complaint, too.
template <class Act>
ChildSaid in_child_process(Act&& act) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe(ends) == 0);
    const ::pid_t child = ::fork();
    if (child == 0) {
        for (const int fatal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) std::signal(fatal, SIG_DFL);
        std::string complaint;
        try {
            complaint = act();
        } catch (const kith::Error& error) {
            complaint = "threw " + std::string(kith::name(error.code())) + ": " + error.what();
        } catch (const std::exception& error) {
            complaint = std::string("threw ") + error.what();
        } catch (...) {
            complaint = "threw something";
        }
        const auto written = ::write(ends[1], complaint.data(), complaint.size());
        ::_exit(written == static_cast<::ssize_t>(complaint.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    ChildSaid said;
    char bytes[4096];
    for (::ssize_t count = 0; (count = ::read(ends[0], bytes, sizeof(bytes))) > 0;) {
        said.complaint.append(bytes, static_cast<std::size_t>(count));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        said.signal = WTERMSIG(status);
        said.complaint += "ended by signal " + std::to_string(said.signal);
    } else if (WEXITSTATUS(status) != 0) {
        said.complaint += "ended with " + std::to_string(WEXITSTATUS(status));
    }
    return said;
}

}  // namespace kith_test
