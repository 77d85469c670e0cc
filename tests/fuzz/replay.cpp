// tests/fuzz/replay.cpp — gives every target its corpus, its examples and a thousand spoiled ones, with any compiler.
//
//   fuzz_replay CORPUS [TARGET [ROUNDS]]   one target or all; each example is spoiled in ROUNDS ways (default 1,000)
//   fuzz_replay --examples CORPUS          writes the examples of every target into its folder
//   fuzz_replay --one TARGET FILE          gives a target one file
#include "fuzz/all_targets.hpp"

#include "kith/core/random.hpp"

#include "support/temporary_directory.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

using kith_fuzz::Target;

/// One to four bits flipped, bytes overwritten, cut out, doubled or cut off.
std::string spoiled(std::string bytes, kith::SplitMix64& random) {
    for (std::uint64_t times = 1 + random() % 4; times > 0; --times) {
        if (bytes.empty()) return std::string(random() % 9, 'x');
        const std::size_t at = random() % bytes.size();
        const std::size_t size = 1 + random() % 8;
        switch (random() % 6) {
            case 0:
                bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << (random() % 8)));
                break;
            case 1:
                bytes.replace(at, size, std::string(size, static_cast<char>(random() % 2 == 0 ? 0xff : 0)));
                break;
            case 2:
                bytes.erase(at, size);
                break;
            case 3:
                bytes.insert(at, bytes.substr(at, size));
                break;
            case 4:
                bytes[at] = static_cast<char>(random());
                break;
            default:
                if (random() % 4 == 0) bytes.resize(at);
        }
    }
    return bytes;
}

void replay(const Target& target, const fs::path& corpus, std::uint64_t rounds) {
    int files = 0;
    const fs::path folder = corpus / target.name;
    if (fs::is_directory(folder)) {
        for (const auto& entry : fs::directory_iterator(folder)) {
            target.attack(kith_test::bytes_of(entry.path()));
            ++files;
        }
    }
    kith::SplitMix64 random(1);
    const std::vector<std::string> examples = target.examples();
    for (const std::string& example : examples) {
        target.attack(example);
        for (std::uint64_t round = 0; round < rounds; ++round) target.attack(spoiled(example, random));
    }
    std::printf("%s: %d files, %zu examples\n", target.name, files, examples.size());
}

void write_examples(const Target& target, const fs::path& corpus) {
    fs::create_directories(corpus / target.name);
    int number = 0;
    for (const std::string& example : target.examples()) {
        kith_test::set_bytes(corpus / target.name / ("example-" + std::to_string(number++)), example);
    }
}

}  // namespace

int main(int count, char** arguments) {
    const std::vector<std::string> given(arguments + 1, arguments + count);
    if (given.empty()) return 2;
    for (const Target* target : kith_fuzz::all_targets) {
        if (given[0] == "--examples" && given.size() == 2) {
            write_examples(*target, given[1]);
        } else if (given[0] == "--one" && given.size() == 3) {
            if (given[1] == target->name) target->attack(kith_test::bytes_of(given[2]));
        } else if (given.size() < 2 || given[1] == target->name) {
            replay(*target, given[0], given.size() < 3 ? 1000 : std::stoull(given[2]));
        }
    }
    return 0;
}
