// tests/collection/soak_program.cpp — a program that works until it is killed, and checks first what it left.
//
//   soak_program DIRECTORY SEED SECONDS
//
// Its 3,000 items are written again and again, so that nothing it takes up may grow for good. Before a batch it prints
// "try VERSION FIRST COUNT", after its acknowledgement "ok VERSION"; negative versions erase. Once a second it prints
// "at SECONDS rss BYTES files COUNT disk BYTES records COUNT". On its standard input it is given the same lines of all
// runs before, and exits with 1 and a sentence where the collection is not what they say.
#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cosine.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr int items = 3000;

struct Item {
    std::int64_t id = 0;
    std::int64_t version = 0;
    std::string text;
    std::array<float, 32> vector{};

    friend bool operator==(const Item&, const Item&) = default;
};
using Items = kith::Schema<Item, kith::Key<&Item::id>, kith::VectorField<&Item::vector, kith::Cosine>>;
using Store = kith::Collection<Items>;

Item item_of(std::int64_t id, std::int64_t version) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(id * 1'000'003 + version));
    Item item;
    item.id = id;
    item.version = version;
    item.text = std::string(random() % 200, static_cast<char>('a' + random() % 26));
    for (float& element : item.vector) element = static_cast<float>(random.uniform() - 0.5);
    return item;
}

struct Write {
    std::int64_t version = 0;  // negative: erase
    int first = 0, count = 0;
};

using Model = std::vector<std::int64_t>;  // the version of each item, 0 where there is none

void perform(const Write& write, Model& model) {
    for (int at = write.first; at < write.first + write.count; ++at) {
        model[static_cast<std::size_t>(at)] = write.version > 0 ? write.version : 0;
    }
}

bool holds(const Store& store, const Model& model) {
    std::size_t live = 0;
    for (int id = 0; id < items; ++id) {
        const std::int64_t version = model[static_cast<std::size_t>(id)];
        const auto found = store.get(id);
        if (version == 0 ? found.has_value() : found != item_of(id, version)) return false;
        live += version == 0 ? 0 : 1;
    }
    return store.size() == live;
}

/// What the runs before acknowledged, and the write that the last of them may have been at.
struct Past {
    Model sure = Model(items);
    std::int64_t last = 0;
    Write open;
};

Past past_of(std::istream& lines) {
    Past past;
    std::string word;
    while (lines >> word) {
        if (word == "try") {
            lines >> past.open.version >> past.open.first >> past.open.count;
            past.last = std::max(past.last, std::abs(past.open.version));
        } else if (word == "ok") {
            perform(past.open, past.sure);
            past.open = {};
            lines >> word;
        } else {
            std::getline(lines, word);
        }
    }
    return past;
}

void report(const Store& store, const fs::path& folder, std::int64_t second) {
    std::size_t pages = 0, skipped = 0;
    std::ifstream("/proc/self/statm") >> skipped >> pages;
    std::uint64_t disk = 0;
    std::error_code gone;
    for (fs::recursive_directory_iterator at(folder, gone), end; !gone && at != end; at.increment(gone)) {
        std::error_code ignored;
        const std::uintmax_t bytes = at->is_regular_file(ignored) ? at->file_size(ignored) : 0;
        if (!ignored) disk += bytes;
    }
    const auto files = std::distance(fs::directory_iterator("/proc/self/fd", gone), {});
    std::printf("at %lld rss %zu files %td disk %llu records %zu\n", static_cast<long long>(second),
                pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), files, static_cast<unsigned long long>(disk),
                store.size());
}

void work(Store& store, const fs::path& folder, std::uint64_t seed, std::int64_t version, std::int64_t seconds) {
    kith::SplitMix64 random(seed + static_cast<std::uint64_t>(version));
    const auto begin = std::chrono::steady_clock::now();
    for (std::int64_t told = -1;;) {
        const auto passed = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
        if (passed.count() != told) report(store, folder, told = passed.count());
        if (passed.count() >= seconds) return;
        Write write{++version, static_cast<int>(random() % (items - 60)), 1 + static_cast<int>(random() % 60)};
        if (random() % 5 == 0) write.version = -version;
        std::printf("try %lld %d %d\n", static_cast<long long>(write.version), write.first, write.count);
        std::vector<Item> batch;
        std::vector<std::int64_t> keys;
        for (int id = write.first; id < write.first + write.count; ++id) {
            batch.push_back(item_of(id, version));
            keys.push_back(id);
        }
        if (write.version > 0) {
            store.upsert(batch);
        } else {
            store.erase(keys);
        }
        std::printf("ok %lld\n", static_cast<long long>(write.version));
        for (int search = 0; search < 3; ++search) {
            const Item asked = item_of(static_cast<std::int64_t>(random() % items), 1);
            for (const auto& hit : store.nearest<&Item::vector>(asked.vector).limit(10).run()) {
                if (hit.record != item_of(hit.record.id, hit.record.version)) {
                    throw std::runtime_error("a search found a record that was never written");
                }
            }
        }
        if (random() % 200 == 0) store.checkpoint();
        if (random() % 1000 == 0) store.compact();
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) return 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        const fs::path folder = arguments[1];
        Past past = past_of(std::cin);
        kith::Options options;
        options.durability = kith::Durability::on_checkpoint();  // a process that dies loses nothing at any level
        options.log_bytes = std::uint64_t{1} << 20;
        Store store(folder / "soak.kith", options);
        Model maybe = past.sure;
        perform(past.open, maybe);
        if (!holds(store, past.sure)) {
            if (past.open.version == 0 || !holds(store, maybe)) {
                throw std::runtime_error("the collection is not what was acknowledged");
            }
            std::printf("try %lld %d %d\nok %lld\n", static_cast<long long>(past.open.version), past.open.first,
                        past.open.count, static_cast<long long>(past.open.version));
        }
        work(store, folder, std::stoull(arguments[2]), past.last, std::stoll(arguments[3]));
        store.close();
        return 0;
    } catch (const std::exception& error) {
        std::printf("wrong: %s\n", error.what());
        return 1;
    }
}
