// benchmarks/ann/build.cpp — building in turns, and in a process of its own.
#include "build.hpp"

#include "clock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace ann {
namespace {

/// A line of /proc/self/status in bytes; 0 where there is none.
double status_bytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        double kilobytes = 0;
        if (word == name + ":" && status >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

/// Lets the peak begin at what is used now. Returns false where the system cannot.
bool forget_peak() {
    std::ofstream clear("/proc/self/clear_refs");
    clear << "5";
    return static_cast<bool>(clear.flush());
}

double grow_to_peak(const Dataset& set, const Variant& variant, const BuildParams& params) {
    if (!forget_peak()) return 0;
    const double before = status_bytes("VmRSS");
    const auto contender = variant.make(params);
    contender->add(set.base.row(0), set.base.rows(), 1);
    contender->seal();
    return std::max(0.0, status_bytes("VmHWM") - before);
}

}  // namespace

std::vector<std::unique_ptr<Contender>> build(const Dataset& set, const std::vector<Variant>& variants,
                                              const BuildParams& params, unsigned threads,
                                              std::vector<BuildTime>& times) {
    constexpr std::size_t slices = 20;
    const std::size_t rows = set.base.rows();
    std::vector<std::unique_ptr<Contender>> contenders;
    for (const Variant& variant : variants) contenders.push_back(variant.make(params));
    times.assign(variants.size(), {});
    const auto timed = [&](std::size_t i, const auto& work) {
        const double cpu = thread_seconds(), wall = wall_seconds();
        work(*contenders[i]);
        times[i].cpu_s += thread_seconds() - cpu;
        times[i].wall_s += wall_seconds() - wall;
    };
    for (std::size_t slice = 0; slice < slices; ++slice) {
        const std::size_t first = rows * slice / slices;
        const std::size_t count = rows * (slice + 1) / slices - first;
        for (std::size_t i = 0; i < variants.size(); ++i) {
            if (variants[i].kind == Kind::trained) continue;
            timed(i, [&](Contender& each) { each.add(set.base.row(first), count, threads); });
        }
    }
    for (std::size_t i = 0; i < variants.size(); ++i) {
        timed(i, [&](Contender& each) {
            if (variants[i].kind == Kind::trained) each.add(set.base.row(0), rows, threads);
            each.seal();
        });
    }
    return contenders;
}

double peak_bytes(const Dataset& set, const Variant& variant, const BuildParams& params) {
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) return 0;
    const pid_t child = fork();
    if (child == 0) {
        double bytes = 0;
        try {
            bytes = grow_to_peak(set, variant, params);
        } catch (...) {
            bytes = 0;  // the build in this process fails the same way and says why
        }
        _exit(write(pipe_ends[1], &bytes, sizeof bytes) == sizeof bytes ? 0 : 1);
    }
    close(pipe_ends[1]);
    double bytes = 0;
    if (child < 0 || read(pipe_ends[0], &bytes, sizeof bytes) != sizeof bytes) bytes = 0;
    close(pipe_ends[0]);
    if (child > 0) waitpid(child, nullptr, 0);
    return bytes;
}

}  // namespace ann
