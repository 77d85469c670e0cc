// examples/word.hpp — the record of the demo, and its data.
#pragma once

#include <kith/kith.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace demo {

struct Word {
    std::string text;
    std::int32_t rank = 0;    // 1 is the most frequent word
    std::int32_t length = 0;  // letters
    std::array<float, 100> vector{};
};

using Words = kith::Schema<Word, kith::Key<&Word::text>, kith::VectorField<&Word::vector, kith::Cosine>>;

/// Reads the files that data/README.md describes.
inline std::vector<Word> read_words(const std::filesystem::path& folder) {
    std::ifstream names(folder / "words.tsv");
    std::ifstream vectors(folder / "words.i8bin", std::ios::binary);
    std::array<std::uint32_t, 2> shape{};  // count and dimension; the file is little-endian, as supported machines are
    vectors.read(reinterpret_cast<char*>(shape.data()), sizeof(shape));
    std::vector<Word> words(shape[0]);
    if (!names || !vectors || words.empty() || shape[1] != words.front().vector.size()) {
        throw std::runtime_error("no word vectors in " + folder.string());
    }
    std::array<std::int8_t, 100> row{};
    for (Word& word : words) {
        names >> word.text >> word.rank;
        word.length = static_cast<std::int32_t>(word.text.size());
        vectors.read(reinterpret_cast<char*>(row.data()), row.size());
        for (std::size_t i = 0; i < row.size(); ++i) word.vector[i] = static_cast<float>(row[i]);
    }
    if (!names || !vectors) throw std::runtime_error("the word vectors in " + folder.string() + " are cut short");
    return words;
}

}  // namespace demo
