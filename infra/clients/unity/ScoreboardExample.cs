// On an object of a scene, with a Text and a Button of the scene in its fields: shows the board, and raises the score.
using System.Linq;
using UnityEngine;
using UnityEngine.UI;

public sealed class ScoreboardExample : MonoBehaviour
{
    [SerializeField] string address = "http://127.0.0.1:8080";
    [SerializeField] Text board = null;
    [SerializeField] Button score = null;

    async void Start()
    {
        var scoreboard = new Scoreboard(address);
        var username = "unity-" + Random.Range(0, int.MaxValue);
        try
        {
            await scoreboard.Register(username, "correct horse battery");
            await scoreboard.LogIn(username, "correct horse battery");
        }
        catch (ScoreboardException error)
        {
            Debug.LogError($"{error.Code}: {error.Message}");
            return;
        }
        score.onClick.AddListener(async () =>
        {
            try { Debug.Log((await scoreboard.AddPoints(5)).score); }
            catch (ScoreboardException error) { Debug.LogWarning(error.Message); }
        });
        await scoreboard.Follow(Show, error => Debug.LogWarning(error.Message), () => this != null);
    }

    void Show(Scoreboard.Line[] lines)
    {
        board.text = string.Join("\n", lines.Select(line => $"{line.rank}. {line.displayName} {line.score}"));
    }
}
