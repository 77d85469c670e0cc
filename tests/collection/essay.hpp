// tests/collection/essay.hpp — a collection that has every kind of file, and a judge of what is left of it.
//
// Two sealed segments with deleted records, raw and coded graphs and inverted lists, and a log of batches behind the
// checkpoint. The judge knows every record by its number, so it tells a wrong one from a missing one.
#pragma once

#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/index.hpp"

#include "support/temporary_directory.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kith_test {

struct Essay {
    std::string id;
    std::string text;
    std::int64_t number = 0;
    std::optional<double> grade;
    std::array<float, 8> place{};
    std::array<float, 48> meaning{};
    std::array<float, 16> mood{};

    friend bool operator==(const Essay&, const Essay&) = default;
};

using Essays =
    kith::Schema<Essay, kith::Key<&Essay::id>, kith::Field<&Essay::number, kith::indexed>,
                 kith::VectorField<&Essay::place, kith::L2>, kith::VectorField<&Essay::meaning, kith::Cosine>,
                 kith::VectorField<&Essay::mood, kith::L2, kith::Ivf<>>>;

inline constexpr int sealed_essays = 1400;
inline constexpr int logged_batches = 8;
inline constexpr int batch_essays = 3;

inline std::string essay_id(int number) {
    return "essay-" + std::to_string(number);
}

inline Essay essay(int number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) + 17);
    Essay made;
    made.id = essay_id(number);
    made.text = std::string(random() % 60, static_cast<char>('a' + random() % 26));
    made.number = number;
    if (number % 3 == 0) made.grade = number / 7.0;
    for (float& element : made.place) element = static_cast<float>(random.uniform());
    for (float& element : made.meaning) element = static_cast<float>(random.uniform() - 0.5);
    for (float& element : made.mood) element = static_cast<float>(random.uniform());
    return made;
}

inline std::vector<Essay> essays(int first, int count) {
    std::vector<Essay> made;
    for (int number = first; number < first + count; ++number) made.push_back(essay(number));
    return made;
}

/// Whether an essay was erased before the checkpoint.
inline bool is_erased(int number) {
    return number < sealed_essays && number % 23 == 5;
}

/// The collection every trial begins with.
inline void make_essays(const std::filesystem::path& path) {
    kith::Options options;
    options.segment_capacity = 1100;
    kith::Collection<Essays> collection(path, options);
    collection.insert(essays(0, sealed_essays));
    for (int number = 0; number < sealed_essays; ++number) {
        if (is_erased(number)) collection.erase(essay_id(number));
    }
    collection.checkpoint();
    for (int batch = 0; batch < logged_batches; ++batch) {
        collection.insert(essays(sealed_essays + batch * batch_essays, batch_essays));
    }
}

/// "right"; "prefix: …" with the torn file where only newest batches of the log are gone; "missing: …" or "wrong: …".
inline std::string judged(const kith::Collection<Essays>& collection) {
    int batches = 0;
    for (int batch = 0; batch < logged_batches; ++batch) {
        int found = 0;
        for (int at = 0; at < batch_essays; ++at) {
            found += collection.contains(essay_id(sealed_essays + batch * batch_essays + at)) ? 1 : 0;
        }
        if (found != 0 && found != batch_essays) return "wrong: half of batch " + std::to_string(batch);
        if (found != 0 && batches != batch) return "wrong: batch " + std::to_string(batch) + " behind a hole";
        if (found != 0) ++batches;
    }
    int live = 0;
    std::string missing;
    for (int number = 0; number < sealed_essays + batches * batch_essays; ++number) {
        const std::optional<Essay> found = collection.get(essay_id(number));
        if (found.has_value() && (*found != essay(number) || is_erased(number))) return "wrong: " + essay_id(number);
        if (!found.has_value() && !is_erased(number)) missing = "missing: " + essay_id(number);
        live += is_erased(number) ? 0 : 1;
    }
    int walked = 0;
    for (const Essay& record : collection.records()) {
        const int number = static_cast<int>(record.number);
        if (number < 0 || record != essay(number) || is_erased(number)) return "wrong: a walk meets " + record.id;
        ++walked;
    }
    for (int number = 7; number < live; number += 191) {
        const Essay asked = essay(number);
        const auto hits = {collection.nearest<&Essay::place>(asked.place).limit(5).exact().run(),
                           collection.nearest<&Essay::place>(asked.place).limit(5).run(),
                           collection.nearest<&Essay::meaning>(asked.meaning).limit(5).run(),
                           collection.nearest<&Essay::mood>(asked.mood).limit(5).run()};
        for (const auto& list : hits) {
            if (list.size() != 5) return "wrong: a search finds " + std::to_string(list.size());
            for (const auto& hit : list) {
                if (hit.record != essay(static_cast<int>(hit.record.number))) return "wrong: a search's record";
            }
        }
        if (!is_erased(number) && hits.begin()->front().record.number != number) return "wrong: not the nearest";
    }
    if (!missing.empty()) return missing;
    if (walked != live || static_cast<int>(collection.size()) != live) return "missing: by a walk";
    if (batches == logged_batches) return "right";
    const auto& torn = collection.recovery().torn_tail;
    return torn.has_value() ? "prefix: " + torn->file : "missing: the end of the log, unreported";
}

/// Opens and judges; "refused: …" with the name of the code where that raised.
inline std::string opened_and_judged(const std::filesystem::path& path, kith::OpenMode mode) {
    try {
        kith::Options options;
        options.mode = mode;
        const kith::Collection<Essays> collection(path, options);
        return judged(collection);
    } catch (const kith::Error& error) {
        return "refused: " + std::string(kith::name(error.code())) + ": " + error.what();
    }
}

inline void copy_collection(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

}  // namespace kith_test
